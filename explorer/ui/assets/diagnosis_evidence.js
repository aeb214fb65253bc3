// Diagnose tab: what each part of a diagnosis shows. A drawer fills a cell with one model's evidence;
// tools are {store, trigger, memory, cases, isWide, isStopped}.
(() => {
  const { el, svg } = LX;
  const LARGEST = 1e6; // of the support scale

  LX.formatRough = (value) => {
    if (value === null || value === undefined) return "–";
    if (value >= 1e6) return `${(value / 1e6).toPrecision(2)} M`;
    if (value >= 1e4) return `${Math.round(value / 1e3)} k`;
    return LX.formatCount(value >= 100 ? +value.toPrecision(2) : Math.round(value));
  };
  // An expected number of pairs: whole where a fraction says nothing.
  const formatExpected = (value) => (value >= 10 ? LX.formatCount(Math.round(value)) : String(+value.toPrecision(2)));
  const formatDistance = (value) => Number(value).toPrecision(3);
  const say = (text) => el("p", { class: "lx-say", text });
  const fold = (summary, ...children) => el("details", { class: "lx-more" }, el("summary", { text: summary }), ...children);
  const heading = (text) => el("h4", { text });

  LX.drawFigures = (figures) => el("dl", { class: "lx-figures" }, figures.filter(Boolean).map(([term, value, note]) =>
    el("div", {}, el("dt", { text: term }), el("dd", {}, el("b", { text: value }), note ? el("span", { text: note }) : null))));

  const drawTable = (label, headings, rows) => el("div", { class: "lx-scroll" },
    el("table", { class: "lx-table", "aria-label": label },
      el("thead", {}, el("tr", {}, headings.map((text, column) =>
        el("th", { scope: "col", text, class: column ? "lx-number" : null })))),
      el("tbody", {}, rows.map((cells) => el("tr", {}, cells.map((text, column) =>
        el(column ? "td" : "th", { text, scope: column ? null : "row", class: column ? "lx-number" : null })))))));

  LX.describeSupport = (duplicates) => {
    const [low, high] = duplicates.support_interval;
    if (duplicates.support === null) return [`> ${LX.formatRough(low)}`, "no more pairs than real images have"];
    const range = high === null ? `at least ${LX.formatRough(low)}` : `${LX.formatRough(low)} to ${LX.formatRough(high)}`;
    return [`≈ ${LX.formatRough(duplicates.support)}`, `95 %: ${range}`];
  };

  // The support on a scale from 1 to a million, with its interval; open above where nothing bounds it.
  function drawSupport(duplicates, width) {
    const [low, high] = duplicates.support_interval;
    const x = (value) => 8 + (Math.log10(Math.max(1, Math.min(LARGEST, value))) / Math.log10(LARGEST)) * (width - 16);
    const plot = svg("svg", { viewBox: `0 0 ${width} 44`, width, height: 44, role: "img",
      "aria-label": `Different images: ${LX.describeSupport(duplicates).join(", ")}` },
    svg("line", { class: "lx-axis", x1: x(1), x2: x(LARGEST), y1: 20.5, y2: 20.5 }));
    for (let power = 0; power <= 6; power++) {
      plot.append(svg("line", { class: "lx-axis", x1: x(10 ** power), x2: x(10 ** power), y1: 17, y2: 24 }),
        svg("text", { class: "lx-tick", x: x(10 ** power), y: 40,
          "text-anchor": power === 0 ? "start" : power === 6 ? "end" : "middle",
          text: ["1", "10", "100", "1 k", "10 k", "100 k", "1 M"][power] }));
    }
    const end = high === null ? LARGEST : high;
    plot.append(svg("line", { class: `lx-range${high === null ? " is-open" : ""}`, x1: x(low), x2: Math.max(x(low) + 2, x(end)), y1: 20.5, y2: 20.5 }));
    if (duplicates.support === null) plot.append(svg("path", { class: "lx-range-start", d: `M${x(low)} 11v19` }));
    else plot.append(svg("circle", { class: "lx-range-dot", cx: x(duplicates.support), cy: 20.5, r: 6 }));
    return plot;
  }

  // Whole rows of pairs, as many beside one another as diagnosis.css has room for.
  const countPairs = (cell, tools) => {
    const width = Math.min(800, cell.clientWidth - (tools.isWide ? 364 : 0));
    const columns = Math.max(2, Math.floor((width + 16) / 166));
    return columns === 2 ? 6 : columns * 2;
  };

  const drawFrame = (source, edge, attributes) => el("span", { class: "lx-frame", ...attributes },
    LX.awaitImage(source, {}), el("span", { class: "lx-edge", text: edge }));

  function drawPairs(cell, data, tools) {
    const pairs = data.duplicates.closest.slice(0, countPairs(cell, tools));
    const seeds = pairs.flatMap((pair) => [pair.first_seed, pair.second_seed]);
    const sources = tools.store.getImages(data, "seeds", seeds);
    return el("div", { class: "lx-pairs" }, pairs.map((pair, row) => el("button", { type: "button", class: "lx-pair",
      "aria-label": `Seeds ${pair.first_seed} and ${pair.second_seed}, distance ${formatDistance(pair.distance)}: morph between them`,
      onclick: () => tools.trigger("morph", { model: data.model, checkpoint: data.checkpoint, seeds: [pair.first_seed, pair.second_seed] }) },
    el("span", { class: "lx-film lx-couple" }, drawFrame(sources[2 * row], String(pair.first_seed)),
      drawFrame(sources[2 * row + 1], String(pair.second_seed))),
    el("span", { class: "lx-under-pair" }, el("span", { text: formatDistance(pair.distance) }),
      el("span", { class: "lx-go", text: "Morph" })))));
  }

  function drawDuplicates(cell, data, tools) {
    const part = data.duplicates;
    const facts = el("div", { class: "lx-facts" }, LX.drawFigures([
      ["Different images", ...LX.describeSupport(part)],
      ["Close pairs", LX.formatCount(part.num_close), `of ${LX.formatCount(part.num_pairs)}; real images have ${formatExpected(part.expected_close)}`],
    ]), drawSupport(part, Math.max(220, Math.min(tools.isWide ? 340 : 480, cell.clientWidth))),
    part.levels.length ? fold("Pairs at other distances", drawTable("Pairs at other distances",
      ["Closer than", "Pairs of samples", "Among real images"],
      part.levels.map((level) => [formatDistance(level.distance), LX.formatCount(level.num_pairs), formatExpected(level.expected)]))) : null);
    cell.append(facts, el("div", { class: "lx-shown" }, heading("Closest pairs, by the distance of their features"), drawPairs(cell, data, tools)));
  }

  function drawSpread(cell, data) {
    const part = data.spread;
    const rows = [{ title: "Mean distance of two images", value: part.mean_distance, real_value: part.real_mean_distance, largest: null },
      ...part.metrics.map((row) => ({ ...row, largest: 1 }))];
    const draw = (row) => {
      const largest = Math.max(row.largest || 0, (row.largest ? 1 : 1.15) * Math.max(row.value, row.real_value || 0));
      const number = (value) => (row.largest ? LX.formatScore(value) : formatDistance(value));
      return el("tr", { "data-metric": row.key || "distance" }, el("th", { scope: "row", text: row.title }),
        el("td", { class: "lx-number", text: number(row.value) }),
        el("td", { class: "lx-bar-cell" }, LX.drawBar(row.value, row.real_value, largest)),
        el("td", { class: "lx-number lx-of-real", text: row.real_value === null || row.real_value === undefined ? "–" : number(row.real_value) }));
    };
    cell.append(el("div", { class: "lx-full" }, LX.drawKey([["generated", "samples"], ["mark", "as many real images"]]),
      el("table", { class: "lx-table lx-metrics", "aria-label": "Variety of the samples and of real images" },
        el("thead", {}, el("tr", {}, ["", "Samples", "", "Real"].map((text, column) =>
          el("th", { scope: "col", text, class: column % 2 ? "lx-number" : null })))),
        el("tbody", {}, rows.map(draw))),
      part.metrics.length ? say(`Precision and density are of the first ${LX.formatCount(part.num_measured)} samples, against the real images that the reference keeps; recall and coverage of as many samples as it keeps images, at most.`)
        : say("Precision, recall, density and coverage need some more samples.")));
  }

  const isAmiss = (mode) => mode.missing.length * 100 + mode.rare.length;

  function drawMode(mode) {
    const order = mode.values.map((_, index) => index).sort((a, b) => mode.real_shares[b] - mode.real_shares[a]);
    const largest = Math.max(...mode.shares, ...mode.real_shares);
    const rows = order.map((index) => {
      const value = mode.values[index];
      const state = mode.missing.includes(value) ? "missing" : mode.rare.includes(value) ? "rare" : "";
      return el("tr", { "data-state": state }, el("th", { scope: "row" }, LX.drawColour(value), el("span", { text: value, title: value }),
        state ? el("em", { text: state }) : null),
      el("td", { class: "lx-bar-cell" }, LX.drawBar(mode.shares[index], mode.real_shares[index], largest)),
      el("td", { class: "lx-number", text: LX.formatShare(mode.shares[index]) }),
      el("td", { class: "lx-number lx-of-real", text: LX.formatShare(mode.real_shares[index]) }));
    });
    return el("section", { class: "lx-mode", "data-label": mode.name },
      heading(LX.spellLabel(mode.name)),
      el("p", { class: "lx-of", text: `entropy ${mode.entropy.toFixed(2)} of ${mode.real_entropy.toFixed(2)} bits, `
        + `classifier right on ${LX.formatShare(mode.accuracy)}` }),
      el("table", { class: "lx-table lx-shares", "aria-label": `Values of ${LX.spellLabel(mode.name)}: samples and real images` },
        el("thead", {}, el("tr", {}, ["", "", "samples", "real"].map((text) => el("th", { scope: "col", text })))),
        el("tbody", {}, rows)));
  }

  // What lacks most comes first, in the same order for both models.
  function listModes(data, cases) {
    const amiss = (name) => Math.max(...cases.flatMap((other) =>
      (other.modes || []).filter((mode) => mode.name === name).map(isAmiss)));
    const ranked = data.modes.map((mode) => [amiss(mode.name), mode]).sort((a, b) => b[0] - a[0]);
    const shown = Math.max(3, ranked.filter(([count]) => count > 0).length);
    return { modes: ranked.map(([, mode]) => mode), shown };
  }

  function drawModes(cell, data, tools) {
    const { modes, shown } = listModes(data, tools.cases);
    cell.append(el("div", { class: "lx-full" },
      LX.drawKey([["generated", "samples"], ["mark", "real images"]]),
      el("div", { class: "lx-modes" }, modes.slice(0, shown).map(drawMode)),
      modes.length > shown ? fold(`${modes.length - shown} more labels, nothing missing`,
        el("div", { class: "lx-modes" }, modes.slice(shown).map(drawMode))) : null));
  }

  function drawCopying(cell, data, tools) {
    const part = data.copying;
    if (part.reason) {
      cell.append(say(part.reason));
      return;
    }
    const chart = el("div", { class: "lx-chart" });
    const closest = part.closest.slice(0, countPairs(cell, tools));
    const samples = tools.store.getImages(data, "seeds", closest.map((item) => item.seed));
    const indices = closest.map((item) => item.image_index);
    const reals = data.has_real_images ? tools.store.getImages(data, "indices", indices) : indices.map(() => Promise.resolve(null));
    const pairs = el("div", { class: "lx-pairs" }, closest.map((item, row) => el("figure", { class: "lx-pair",
      "aria-label": `Sample of seed ${item.seed} and real image ${item.image_index}, distance ${formatDistance(item.distance)}` },
    el("span", { class: "lx-film lx-couple" }, drawFrame(samples[row], String(item.seed)),
      drawFrame(reals[row], `real ${item.image_index}`)),
    el("span", { class: "lx-under-pair", text: formatDistance(item.distance) }))));
    const [low, high] = part.close_share_interval;
    cell.append(el("div", { class: "lx-facts" }, LX.drawFigures([
      ["As close as a copy", LX.formatShare(part.close_share),
        `95 %: ${LX.formatShare(low)} to ${LX.formatShare(high)}; of real images ${LX.formatShare(part.expected_share)}`],
      ["Searched", LX.formatCount(part.num_real), `of ${LX.formatCount(part.num_dataset)} real images`],
      ["Near one image only", LX.formatShare(part.ratio_share), `nearest within ${LX.formatScore(part.ratio_limit)} of the second nearest; of real images ${LX.formatShare(part.expected_ratio_share)}`],
    ]), chart), el("div", { class: "lx-shown" }, heading("Samples closest to a real image: sample, then real image"), pairs,
    data.real_images_note ? say(data.real_images_note) : null));
    LX.histogram(chart, { title: "Distance to the nearest real image", xLabel: "distance of features", edges: part.edges,
      generated: part.sample_shares, real: part.real_shares, realName: "real images to each other",
      label: `Distances of samples of ${data.model} to their nearest real image, and of real images to each other`,
      mark: { value: part.close_distance, text: "close" } });
  }

  function drawWalks(data, tools, curves, title) {
    const part = data.sensitivity;
    const largest = part.steps[part.steps.length - 1];
    const steps = [-1, -2 / 3, -1 / 3, 0, 1 / 3, 2 / 3, 1].map((share) => +(share * largest).toFixed(4));
    return el("div", { class: "lx-walks" }, heading(title), curves.slice(0, 3).map((curve) => {
      const frames = tools.store.getWalk(data, part.base_seeds[0], curve.direction_seed, steps);
      const change = curve.changes[curve.changes.length - 1];
      return el("figure", { class: "lx-walk", "aria-label": `Seed ${part.base_seeds[0]} moved along direction ${curve.direction_seed}, `
        + `from ${formatDistance(steps[0])} to ${formatDistance(largest)}: changes by ${formatDistance(change)} grey levels` },
      el("span", { class: "lx-film lx-run" }, frames.map((source, index) =>
        drawFrame(source, steps[index] === 0 ? `seed ${part.base_seeds[0]}` : `${steps[index] > 0 ? "+" : "−"}${+Math.abs(steps[index]).toPrecision(2)}`))),
      el("figcaption", { text: `${formatDistance(change)} grey levels at a step of ${+largest.toPrecision(3)}; direction of seed ${curve.direction_seed}` }));
    }));
  }

  function drawSensitivity(cell, data, tools) {
    const part = data.sensitivity;
    const chart = el("div", { class: "lx-chart" });
    const points = (changes) => [[0, 0], ...part.steps.map((step, index) => [step, changes[index]])];
    const series = [{ name: `mean of ${part.num_directions} directions`, points: points(part.mean_changes) }];
    if (part.strongest.length) series.push({ name: "strongest", points: points(part.strongest[0].changes) });
    if (part.flattest.length) series.push({ name: "flattest", points: points(part.flattest[0].changes) });
    series.push({ name: "two different samples", points: [0, part.steps[part.steps.length - 1]].map((x) => [x, part.between_samples]) });
    cell.append(el("div", { class: "lx-facts" }, chart), el("div", { class: "lx-shown" },
      drawWalks(data, tools, part.flattest, "Flattest directions: what changes least"),
      drawWalks(data, tools, part.strongest.slice(0, 1), "For comparison, the strongest")));
    LX.chart(chart, { title: "Change of the image, grey levels (RMS)", xLabel: "step in z", xMin: 0, height: 230, fromZero: true, series });
  }

  const describeMap = (data, tools) => ({ model: data.model, checkpoint: data.checkpoint, store: tools.store, memory: tools.memory,
    hasRealImages: data.has_real_images, realImagesNote: data.real_images_note, isDone: data.is_done || tools.isStopped,
    samples: { ids: data.map.sample_seeds, positions: data.map.sample_positions },
    reals: { ids: data.map.real_indices, positions: data.map.real_positions },
    axes: data.map.axes.map((name, index) => `${name}, ${LX.formatShare(data.map.explained_shares[index])} of the variance`) });

  function drawMap(cell, data, tools) {
    const holder = el("div", { class: "lx-full" });
    cell.append(holder);
    LX.pointMap(holder, describeMap(data, tools));
  }

  function drawPairPlot(cell, data, tools) {
    const holder = el("div", { class: "lx-full" });
    cell.append(holder);
    LX.pairPlot(holder, { ...describeMap(data, tools), names: data.map.axes });
  }

  // In the order of usefulness. `read` gives what a cell is drawn from: it is drawn anew when that changes.
  // A part with `isMeant` is hidden unless that is true of a model.
  LX.EVIDENCE = [
    { key: "duplicates", title: "Near-duplicates", question: "Do different seeds give the same image?",
      read: (data) => data.duplicates, draw: drawDuplicates },
    { key: "copying", title: "Copying", question: "Do samples repeat images the model was trained on?",
      read: (data) => data.copying && [data.copying, data.real_images_note], draw: drawCopying },
    { key: "spread", title: "Variety", question: "Do samples differ as much as real images do, and reach all of them?",
      read: (data) => data.spread, draw: drawSpread },
    { key: "modes", title: "Known modes", question: "Is every known kind of image there, as often as it should be?",
      read: (data, cases) => (data.modes && data.modes.length ? listModes(data, cases) : null), note: (data) => data.mode_note, draw: drawModes },
    { key: "labels", title: "Labels", question: "Does a stranger read in the samples what was asked for?",
      read: (data) => (data.labels && data.labels.length ? data.labels : null), note: (data) => data.label_note,
      isMeant: (data) => Boolean(data.label_note || (data.labels && data.labels.length)),
      draw: (cell, data) => LX.drawFidelity(cell, data) },
    { key: "map", title: "Map", question: "Where do samples lie among real images?",
      read: (data) => data.map && [data.map, data.is_done], draw: drawMap },
    { key: "sensitivity", title: "Sensitivity", question: "How far does the image move per step in z?",
      read: (data) => data.sensitivity, draw: drawSensitivity },
    { key: "pairs", title: "Leading components, pair by pair", question: "", isFolded: true,
      read: (data) => data.map, draw: drawPairPlot },
  ];
})();
