// Generated against real: histograms of distances, bars of shares. Real is dashed or a mark, so that
// the two are told apart without colour.
(() => {
  const { el, svg } = LX;
  const MARGIN = { top: 8, right: 8, bottom: 32, left: 8 };

  LX.formatShare = (value) => {
    if (value === null || value === undefined) return "–";
    const percent = value * 100;
    return `${percent === 0 || percent >= 10 ? percent.toFixed(0) : percent.toPrecision(percent >= 1 ? 2 : 1)} %`;
  };

  LX.drawKey = (items) => el("ul", { class: "lx-key" }, items.map(([kind, text]) =>
    el("li", {}, el("span", { class: `lx-swatch is-${kind}`, "aria-hidden": "true" }), el("span", { text }))));

  const outline = (edges, shares, x, y) => {
    const points = [`${x(edges[0])},${y(0)}`];
    shares.forEach((share, bin) => points.push(`${x(edges[bin])},${y(share)}`, `${x(edges[bin + 1])},${y(share)}`));
    return [...points, `${x(edges[edges.length - 1])},${y(0)}`].join(" ");
  };

  // spec: title, label, xLabel, edges (B + 1), generated (B), real (B), mark: {value, text}, height
  LX.histogram = (holder, spec) => {
    const width = Math.max(220, holder.clientWidth || 400);
    const height = spec.height || 180;
    const { edges } = spec;
    const [low, high] = [edges[0], edges[edges.length - 1]];
    const top = Math.max(...spec.generated, ...spec.real, 1e-9);
    const x = (value) => +(MARGIN.left + ((value - low) / (high - low || 1)) * (width - MARGIN.left - MARGIN.right)).toFixed(1);
    const y = (share) => +(height - MARGIN.bottom - (share / top) * (height - MARGIN.top - MARGIN.bottom)).toFixed(1);
    const plot = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": spec.label },
      svg("polygon", { class: "lx-bars is-generated", points: outline(edges, spec.generated, x, y) }),
      svg("polyline", { class: "lx-bars is-real", points: outline(edges, spec.real, x, y) }),
      svg("line", { class: "lx-axis", x1: x(low), x2: x(high), y1: y(0) + 0.5, y2: y(0) + 0.5 }));
    for (const tick of LX.niceTicks(low, high, Math.max(3, Math.floor(width / 90)))) {
      const anchor = x(tick) < 24 ? "start" : x(tick) > width - 24 ? "end" : "middle";
      plot.append(svg("text", { class: "lx-tick", x: x(tick), y: y(0) + 14, "text-anchor": anchor, text: LX.formatTick(tick) }));
    }
    plot.append(svg("text", { class: "lx-tick", x: x(high), y: height - 4, "text-anchor": "end", text: spec.xLabel }));
    if (spec.mark && spec.mark.value >= low && spec.mark.value <= high) {
      const isLeft = x(spec.mark.value) < 60; // no room for its text before it
      plot.append(svg("line", { class: "lx-floor", x1: x(spec.mark.value), x2: x(spec.mark.value), y1: MARGIN.top, y2: y(0) }),
        svg("text", { class: "lx-tick", x: x(spec.mark.value) + (isLeft ? 6 : -6), y: MARGIN.top + 9,
          "text-anchor": isLeft ? "start" : "end", text: spec.mark.text }));
    }
    holder.replaceChildren(el("h4", { text: spec.title }),
      LX.drawKey([["generated", spec.generatedName || "samples"], ["real", spec.realName || "real images"]]), plot);
  };

  // A bar for the samples with a mark where real images are, both shares of `largest`.
  LX.drawBar = (value, real, largest) => {
    const place = (number) => `${Math.max(0, Math.min(100, (number / (largest || 1)) * 100)).toFixed(1)}%`;
    return el("span", { class: "lx-bar", "aria-hidden": "true" },
      el("span", { class: "lx-bar-fill", style: `width:${place(value)}` }),
      Number.isFinite(real) && real !== null ? el("span", { class: "lx-bar-mark", style: `left:${place(real)}` }) : null);
  };
})();
