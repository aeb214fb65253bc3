// The leading components of the features against one another: scatter plots off the diagonal,
// histograms on it; samples are discs, real images crosses.
(() => {
  const { el } = LX;
  const GAP = 6;
  const LABEL = 18;
  const BINS = 24;
  const SERIES = [["reals", "--lx-series-1"], ["samples", "--lx-series-0"]];

  function countBins(positions, column, [low, high]) {
    const counts = new Array(BINS).fill(0);
    for (const row of positions) {
      const bin = Math.floor(((row[column] - low) / (high - low)) * BINS);
      counts[Math.max(0, Math.min(BINS - 1, bin))] += 1 / positions.length;
    }
    return counts;
  }

  // spec: {model, samples: {positions}, reals: {positions}, names: [text per component]}
  LX.pairPlot = (holder, spec) => {
    const width = Math.min(760, Math.max(220, holder.clientWidth || 480));
    const num = spec.names.length;
    const size = Math.floor((width - LABEL - (num - 1) * GAP) / num);
    const canvas = el("canvas", { role: "img", "aria-label": `Pair plot of ${num} leading components: `
      + `${spec.samples.positions.length} samples of ${spec.model} and ${spec.reals.positions.length} real images` });
    const bounds = spec.names.map((_, column) =>
      LX.findBounds([spec.reals.positions, spec.samples.positions], column));

    function drawScatter(pen, colour, row, column) {
      const place = (value, [low, high]) => ((value - low) / (high - low)) * (size - 6) + 3;
      for (const [kind, name] of SERIES) {
        pen.fillStyle = pen.strokeStyle = colour(name);
        pen.globalAlpha = kind === "samples" ? 0.5 : 0.45;
        pen.lineWidth = 1;
        for (const position of spec[kind].positions) {
          LX.drawPoint(pen, kind, place(position[column], bounds[column]),
            size - place(position[row], bounds[row]), size > 110 ? 1.5 : 1.1);
        }
      }
      pen.globalAlpha = 1;
    }

    function drawHistogram(pen, colour, column) {
      const counts = SERIES.map(([kind]) => countBins(spec[kind].positions, column, bounds[column]));
      const top = Math.max(...counts.flat());
      SERIES.forEach(([kind, name], series) => {
        pen.beginPath();
        pen.moveTo(0, size);
        counts[series].forEach((count, bin) => {
          const y = size - (count / top) * (size - 6);
          pen.lineTo((bin / BINS) * size, y);
          pen.lineTo(((bin + 1) / BINS) * size, y);
        });
        pen.lineTo(size, size);
        pen.fillStyle = pen.strokeStyle = colour(name);
        pen.lineWidth = 1.5;
        pen.setLineDash(kind === "samples" ? [] : [4, 3]);
        pen.globalAlpha = 0.35;
        if (kind === "samples") pen.fill();
        pen.globalAlpha = 1;
        pen.stroke();
      });
      pen.setLineDash([]);
    }

    function draw() {
      const { pen, colour } = LX.openCanvas(canvas, LABEL + num * size + (num - 1) * GAP, LABEL + num * size + (num - 1) * GAP);
      pen.font = `11px ${colour("--lx-mono") || "monospace"}`;
      pen.textAlign = "center";
      for (let row = 0; row < num; row++) {
        for (let column = 0; column < num; column++) {
          pen.save();
          pen.translate(LABEL + column * (size + GAP), row * (size + GAP));
          pen.beginPath();
          pen.rect(0, 0, size, size);
          pen.clip();
          if (row === column) drawHistogram(pen, colour, column);
          else drawScatter(pen, colour, row, column);
          pen.strokeStyle = colour("--lx-line");
          pen.lineWidth = 2;
          pen.strokeRect(0, 0, size, size);
          pen.restore();
        }
        pen.fillStyle = colour("--lx-muted");
        pen.fillText(spec.names[row], LABEL + row * (size + GAP) + size / 2, num * (size + GAP) + 8);
        pen.save();
        pen.translate(10, row * (size + GAP) + size / 2);
        pen.rotate(-Math.PI / 2);
        pen.fillText(spec.names[row], 0, 0);
        pen.restore();
      }
    }

    holder.replaceChildren(LX.drawKey([["dot", "samples"], ["cross", "real images"]]), canvas);
    draw();
    LX.redrawWithLights(canvas, draw);
  };
})();
