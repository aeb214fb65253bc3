// Line charts for scores and training curves: few ticks, one line per series, dashed noise floors. A series may have a
// band (its intervals), a floor for every point, raw points behind a smoothed line, and a limit: an extrapolation with its
// interval at the right edge. A chart may have a cursor: a vertical line at one x.
(() => {
  const { el, svg } = LX;
  const MARGIN = { top: 12, right: 16, bottom: 34, left: 48 };
  const NUM_STYLES = 4;
  const MARK_STEP = 15;
  const LETTER_WIDTH = 7;
  const LABEL_WIDTH = 52;
  const LABEL_HEIGHT = 13;
  // Scores of the first few samples are far off; once there are many, they may leave the chart at its top.
  const EARLY_SHARE = 0.05;
  let numCharts = 0;

  function niceTicks(low, high, count) {
    const span = high - low || Math.abs(high) || 1;
    const power = 10 ** Math.floor(Math.log10(span / count));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => span / size <= count);
    // Counted, not summed: a step may be less than what numbers of this size can tell apart.
    const first = Math.ceil(low / step);
    const numTicks = Math.min(count + 2, Math.floor(high / step + 1e-6) - first + 1) || 0;
    return Array.from({ length: Math.max(0, numTicks) }, (_, index) => (first + index) * step);
  }

  const formatTick = (value) => {
    const size = Math.abs(value);
    if (size >= 1e6) return `${+(value / 1e6).toFixed(2)}M`;
    if (size >= 1e4) return `${+(value / 1e3).toFixed(1)}k`;
    return String(+value.toPrecision(3));
  };

  // Other charts have the same ticks.
  Object.assign(LX, { niceTicks, formatTick });

  const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
  const arePairs = (points) => (points || []).filter((point) => point.every(isNumber));

  function cleanSeries(series) {
    const limit = series.limit && isNumber(series.limit.value) ? series.limit : null;
    return { ...series, points: arePairs(series.points), raw: arePairs(series.raw), band: arePairs(series.band),
      floors: arePairs(series.floors), limit };
  }

  function describeSeries(series) {
    const last = series.points[series.points.length - 1];
    if (!last) return series.name;
    const limit = series.limit ? `, extrapolated to ${LX.formatScore(series.limit.value)}` : "";
    return `${series.name}: ${LX.formatScore(last[1])} at ${LX.formatCount(last[0])}${limit}`;
  }

  function drawLegend(spec) {
    return el("ul", { class: "lx-legend" }, spec.series.map((series, index) =>
      el("li", { "data-series": index % NUM_STYLES },
        svg("svg", { width: 26, height: 8, "aria-hidden": "true" },
          svg("line", { x1: 1, x2: 25, y1: 4, y2: 4, class: "lx-line", "data-series": index % NUM_STYLES })),
        el("span", { text: series.name }))));
  }

  // Where everything is: a plot, and right of it a gutter for limits if there are any.
  function layOut(spec, drawn, width, height) {
    const points = drawn.flatMap((series) => [...series.points, ...series.raw]);
    const limits = drawn.filter((series) => series.limit);
    const hasLabels = limits.length > 0 && width >= 480;
    const gutter = limits.length ? 12 + MARK_STEP * limits.length + (hasLabels ? LABEL_WIDTH : 0) : 0;
    const first = EARLY_SHARE * Math.max(...points.map((point) => point[0]));
    const settled = spec.isCutEarly ? points.filter((point) => point[0] >= first) : points;
    const measured = settled.map((point) => point[1]).concat(
      drawn.map((series) => series.floor).filter(isNumber), drawn.flatMap((series) => series.floors.slice(-1).map((point) => point[1])));
    const extrapolated = limits.map((series) => series.limit.value);
    const base = spec.fromZero ? [0] : [];
    const largest = Math.max(...base, ...measured, ...extrapolated);
    // An extrapolation from few samples may be far below 0; its mark then stays at the edge.
    const bottom = Math.min(...base, ...measured, ...extrapolated.map((value) => (spec.fromZero ? Math.max(value, -0.1 * largest) : value)));
    const top = largest + (largest - bottom) * 0.06 || 1;
    const left = spec.xMin ?? Math.min(0, ...points.map((point) => point[0]));
    const right = Math.max(...points.map((point) => point[0]), spec.xMax || 0);
    const edge = width - MARGIN.right - gutter;
    const y = (value) => height - MARGIN.bottom - ((value - bottom) / (top - bottom || 1)) * (height - MARGIN.top - MARGIN.bottom);
    return { width, height, left, right, bottom, top, edge, hasLabels, y,
      x: (value) => MARGIN.left + ((value - left) / (right - left || 1)) * (edge - MARGIN.left),
      inside: (value) => y(Math.min(top, Math.max(bottom, value))) };
  }

  function drawAxes(plot, spec, place) {
    const { width, height, edge, x, y } = place;
    for (const tick of niceTicks(place.bottom, place.top, 5)) {
      plot.append(svg("line", { class: "lx-grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(tick), y2: y(tick) }),
        svg("text", { class: "lx-tick", x: MARGIN.left - 8, y: y(tick) + 4, "text-anchor": "end", text: formatTick(tick) }));
    }
    for (const tick of niceTicks(place.left, place.right, Math.max(3, Math.floor((edge - MARGIN.left) / 110)))) {
      plot.append(svg("text", { class: "lx-tick", x: x(tick), y: height - MARGIN.bottom + 17, "text-anchor": "middle",
        text: formatTick(tick) }));
    }
    plot.append(svg("text", { class: "lx-tick", x: edge, y: height - 3, "text-anchor": "end", text: spec.xLabel }));
  }

  const toPath = (points, place) => points.map(([px, py]) => `${place.x(px).toFixed(1)},${place.y(py).toFixed(1)}`).join(" ");

  // One floor for each reference: a line where there is one number, a curve where it is known at every point.
  function drawFloors(plot, drawn, place, clip) {
    const curves = new Map();
    for (const series of drawn) {
      const key = series.floors.length ? `of ${series.floorName}` : `at ${series.floor}`;
      if (!series.floors.length && !isNumber(series.floor)) continue;
      const known = curves.get(key) || { name: series.floorName, points: [] };
      known.points.push(...(series.floors.length ? series.floors : [[place.left, series.floor], [place.right, series.floor]]));
      curves.set(key, known);
    }
    const ends = [];
    for (const { name, points } of curves.values()) {
      points.sort((one, other) => one[0] - other[0]);
      plot.append(svg("polyline", { class: "lx-floor", "clip-path": clip, points: toPath(points, place) }));
      const [x, value] = points[points.length - 1];
      const short = `noise floor ${LX.formatScore(value)}`;
      const long = curves.size > 1 && name ? `${short}, ${name}` : short;
      ends.push({ x: place.x(x), y: place.y(value), text: place.edge - MARGIN.left > LETTER_WIDTH * long.length ? long : short });
    }
    return ends;
  }

  // Above the highest floor, in the order of the floors, so that none covers another.
  function labelFloors(plot, ends, place) {
    ends.sort((one, other) => other.y - one.y);
    const lowest = Math.min(...ends.map((end) => end.y)) - 5;
    ends.forEach(({ x, text }, index) => {
      const isLeft = place.edge - x < LETTER_WIDTH * text.length;
      plot.append(svg("text", { class: "lx-tick lx-label", x: isLeft ? x : x + 6, y: lowest - index * LABEL_HEIGHT,
        "text-anchor": isLeft ? "end" : "start", text }));
    });
  }

  function drawBand(plot, series, style, place, clip) {
    if (series.band.length < 2) return;
    const upper = series.band.map(([x, , high]) => [x, high]);
    const lower = series.band.map(([x, low]) => [x, low]).reverse();
    plot.append(svg("polygon", { class: "lx-band", "data-series": style, "clip-path": clip,
      points: toPath([...upper, ...lower], place) }));
  }

  function drawSeries(plot, series, style, place, clip) {
    if (!series.points.length) return;
    plot.append(svg("polyline", { class: "lx-line", "data-series": style, "clip-path": clip,
      points: toPath(series.points, place) }));
    const [endX, endY] = series.points[series.points.length - 1];
    plot.append(svg("circle", { class: "lx-dot", "data-series": style, cx: place.x(endX), cy: place.y(endY), r: 3 }));
  }

  function drawRaw(plot, series, style, place, clip) {
    if (series.raw.length < 2) return;
    plot.append(svg("polyline", { class: "lx-raw", "data-series": style, "clip-path": clip, points: toPath(series.raw, place) }));
  }

  function drawCursor(plot, cursor, place) {
    if (!isNumber(cursor) || cursor < place.left || cursor > place.right) return;
    plot.append(svg("line", { class: "lx-cursor", x1: place.x(cursor), x2: place.x(cursor), y1: MARGIN.top,
      y2: place.height - MARGIN.bottom }));
  }

  // The end of an error bar: a cap, or at the edge an arrowhead to where it goes on.
  function drawEnd(value, x, place) {
    const y = place.inside(value);
    if (value >= place.bottom && value <= place.top) return `M${x - 3} ${y}h6`;
    const tail = value < place.bottom ? -5 : 5;
    return `M${x - 3} ${y + tail}L${x} ${y}L${x + 3} ${y + tail}`;
  }

  // Marks with error bars beside each other, so that four models do not cover one another.
  function drawLimits(plot, drawn, place) {
    const marks = drawn.map((series, index) => ({ ...series.limit, name: series.name, style: index % NUM_STYLES }))
      .filter((mark) => isNumber(mark.value));
    if (!marks.length) return;
    const start = place.edge + 6;
    plot.append(svg("line", { class: "lx-grid", x1: place.edge, x2: place.edge, y1: MARGIN.top, y2: place.height - MARGIN.bottom }),
      svg("text", { class: "lx-tick lx-infinite", x: start + (MARK_STEP * marks.length) / 2, y: place.height - MARGIN.bottom + 18,
        "text-anchor": "middle", text: "∞" }));
    marks.forEach((mark, position) => {
      const x = start + MARK_STEP * (position + 0.5);
      const parts = [svg("title", { text: `${mark.name}, infinitely many samples: ${LX.formatScore(mark.value)}, 95 % interval ${LX.formatRange(mark.low, mark.high)}` })];
      if (isNumber(mark.low) && isNumber(mark.high)) {
        parts.push(svg("path", { class: "lx-error-bar", "data-series": mark.style,
          d: `M${x} ${place.inside(mark.low)}V${place.inside(mark.high)}${drawEnd(mark.low, x, place)}${drawEnd(mark.high, x, place)}` }));
      }
      parts.push(svg("circle", { class: "lx-limit", "data-series": mark.style, cx: x, cy: place.inside(mark.value), r: 4 }));
      plot.append(svg("g", { class: "lx-extrapolated", "data-model": mark.name }, parts));
    });
    if (place.hasLabels) labelLimits(plot, marks, start + MARK_STEP * marks.length + 4, place);
  }

  function labelLimits(plot, marks, x, place) {
    const lowest = place.height - MARGIN.bottom;
    const labels = marks.map((mark) => ({ ...mark, y: place.inside(mark.value) + 4 })).sort((one, other) => one.y - other.y);
    labels.forEach((label, index) => {
      if (index) label.y = Math.max(label.y, labels[index - 1].y + LABEL_HEIGHT);
    });
    for (let index = labels.length - 1; index >= 0; index--) {
      const bound = index === labels.length - 1 ? lowest : labels[index + 1].y - LABEL_HEIGHT;
      labels[index].y = Math.min(labels[index].y, bound);
    }
    for (const label of labels) {
      plot.append(svg("text", { class: "lx-limit-label lx-label", "data-series": label.style, x, y: label.y, text: LX.formatScore(label.value) }));
    }
  }

  LX.chart = (holder, spec) => {
    const width = Math.max(220, holder.clientWidth || 480);
    const height = spec.height || 240;
    const drawn = spec.series.map(cleanSeries);
    if (!drawn.some((series) => series.points.length)) {
      holder.replaceChildren(el("p", { class: "lx-notice", text: spec.empty || "Nothing measured yet." }));
      return;
    }
    const place = layOut(spec, drawn, width, height);
    const id = `lx-clip-${numCharts++}`;
    const clip = `url(#${id})`;
    const plot = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img",
      "aria-label": `${spec.title}. ${drawn.map(describeSeries).join("; ")}` },
    svg("clipPath", { id }, svg("rect", { x: MARGIN.left - 2, y: MARGIN.top - 2, width: Math.max(0, place.edge - MARGIN.left) + 4,
      height: height - MARGIN.top - MARGIN.bottom + 4 })));
    drawAxes(plot, spec, place);
    drawCursor(plot, spec.cursor, place);
    drawn.forEach((series, index) => drawBand(plot, series, index % NUM_STYLES, place, clip));
    drawn.forEach((series, index) => drawRaw(plot, series, index % NUM_STYLES, place, clip));
    const floors = drawFloors(plot, drawn, place, clip);
    drawn.forEach((series, index) => drawSeries(plot, series, index % NUM_STYLES, place, clip));
    labelFloors(plot, floors, place);
    drawLimits(plot, drawn, place);
    const children = [el("h4", { text: spec.title })];
    if (drawn.length > 1) children.push(drawLegend(spec));
    holder.replaceChildren(...children, plot);
  };
})();
