// Line charts for scores and training curves: few ticks, one line per series, dashed noise floors.
(() => {
  const { el, svg } = LX;
  const MARGIN = { top: 12, right: 16, bottom: 34, left: 48 };

  function niceTicks(low, high, count) {
    const span = high - low || Math.abs(high) || 1;
    const power = 10 ** Math.floor(Math.log10(span / count));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => span / size <= count);
    const ticks = [];
    for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-6; tick += step) ticks.push(tick);
    return ticks;
  }

  const formatTick = (value) => {
    const size = Math.abs(value);
    if (size >= 1e6) return `${+(value / 1e6).toFixed(2)}M`;
    if (size >= 1e4) return `${+(value / 1e3).toFixed(1)}k`;
    return String(+value.toPrecision(3));
  };

  // Other charts have the same ticks.
  Object.assign(LX, { niceTicks, formatTick });

  function describeSeries(series) {
    const last = series.points[series.points.length - 1];
    return last ? `${series.name}: ${LX.formatScore(last[1])} at ${LX.formatCount(last[0])}` : series.name;
  }

  function drawLegend(spec) {
    return el("ul", { class: "lx-legend" }, spec.series.map((series, index) =>
      el("li", { "data-series": index % 4 },
        svg("svg", { width: 26, height: 8, "aria-hidden": "true" },
          svg("line", { x1: 1, x2: 25, y1: 4, y2: 4, class: "lx-line", "data-series": index % 4 })),
        el("span", { text: series.name }))));
  }

  LX.chart = (holder, spec) => {
    const width = Math.max(220, holder.clientWidth || 480);
    const height = spec.height || 240;
    const drawn = spec.series.map((series) => ({
      ...series, points: series.points.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y)) }));
    const all = drawn.flatMap((series) => series.points);
    if (!all.length) {
      holder.replaceChildren(el("p", { class: "lx-notice", text: spec.empty || "Nothing measured yet." }));
      return;
    }
    const floors = drawn.map((series) => series.floor).filter((value) => Number.isFinite(value));
    const ys = all.map((point) => point[1]).concat(floors);
    const right = Math.max(...all.map((point) => point[0]), spec.xMax || 0);
    const left = spec.xMin ?? Math.min(0, ...all.map((point) => point[0]));
    const bottom = spec.fromZero ? Math.min(0, ...ys) : Math.min(...ys);
    const top = Math.max(...ys) + (Math.max(...ys) - bottom) * 0.06 || 1;
    const x = (value) => MARGIN.left + ((value - left) / (right - left || 1)) * (width - MARGIN.left - MARGIN.right);
    const y = (value) => height - MARGIN.bottom
      - ((value - bottom) / (top - bottom || 1)) * (height - MARGIN.top - MARGIN.bottom);

    const plot = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img",
      "aria-label": `${spec.title}. ${drawn.map(describeSeries).join("; ")}` });
    for (const tick of niceTicks(bottom, top, 5)) {
      plot.append(svg("line", { class: "lx-grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(tick), y2: y(tick) }),
        svg("text", { class: "lx-tick", x: MARGIN.left - 8, y: y(tick) + 4, "text-anchor": "end", text: formatTick(tick) }));
    }
    for (const tick of niceTicks(left, right, Math.max(3, Math.floor(width / 110)))) {
      plot.append(svg("text", { class: "lx-tick", x: x(tick), y: height - MARGIN.bottom + 17, "text-anchor": "middle",
        text: formatTick(tick) }));
    }
    plot.append(svg("text", { class: "lx-tick", x: width - MARGIN.right, y: height - 3, "text-anchor": "end", text: spec.xLabel }));
    const seenFloors = new Set();
    drawn.forEach((series, index) => {
      if (Number.isFinite(series.floor) && !seenFloors.has(series.floor)) {
        seenFloors.add(series.floor);
        plot.append(svg("line", { class: "lx-floor", x1: MARGIN.left, x2: width - MARGIN.right,
          y1: y(series.floor), y2: y(series.floor) }),
        svg("text", { class: "lx-tick", x: width - MARGIN.right, y: y(series.floor) - 5, "text-anchor": "end",
          text: `noise floor ${LX.formatScore(series.floor)}` }));
      }
      if (!series.points.length) return;
      plot.append(svg("polyline", { class: "lx-line", "data-series": index % 4,
        points: series.points.map(([px, py]) => `${x(px).toFixed(1)},${y(py).toFixed(1)}`).join(" ") }));
      const [endX, endY] = series.points[series.points.length - 1];
      plot.append(svg("circle", { class: "lx-dot", "data-series": index % 4, cx: x(endX), cy: y(endY), r: 3 }));
    });
    const children = [el("h4", { text: spec.title })];
    if (drawn.length > 1) children.push(drawLegend(spec));
    holder.replaceChildren(...children, plot);
  };
})();
