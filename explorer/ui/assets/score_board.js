// Compare tab: the score of every model as its samples accumulate, as a chart and as a table.
LX.scoreBoard = (element, context) => {
  const { el } = LX;
  const root = element.querySelector(".lx-board");
  const NOTES = [
    ["Samples", "A score is too high with few samples and sinks as they come in: compare scores at the same number."],
    ["95 % interval", "Where the score would lie on average over many draws of as many samples. Where two models' intervals overlap, "
      + "more samples may turn their order around."],
    ["Noise floor", "What this many real images score against the others. No model can be expected to do better."],
    ["Infinitely many", "The score without the error of few samples, extrapolated from parts of those drawn, with its own "
      + "95 % interval. It can be compared between different numbers of samples."],
  ];
  const EXPLAINED = Object.fromEntries(NOTES);
  let isOpen = false;
  let page = null;
  const replaced = LX.findReplaced(context, () => (context.props.value || {}).rows || [],
    () => { if (element.clientWidth) render(context.props.value); });

  const isRange = (range) => Array.isArray(range) && range.length === 2;
  const number = (text, attributes) => el("td", { class: "lx-number", ...attributes, text });

  function drawRow(row) {
    const floor = LX.formatScore(row.noise_floor);
    const limit = LX.formatScore(row.infinite_n);
    return el("tr", { "data-model": row.model }, el("th", { scope: "row", text: row.model }),
      number(LX.formatScore(row.value)),
      number(isRange(row.interval) ? LX.formatRange(...row.interval) : "–"),
      number(row.num_samples ? LX.formatCount(row.num_samples) : "–"),
      number((row.is_noise_floor_measured === false && floor !== "–" ? "~" : "") + floor),
      el("td", { class: "lx-number" }, limit, isRange(row.infinite_n_interval) && limit !== "–"
        ? el("span", { class: "lx-of", text: ` (${LX.formatRange(...row.infinite_n_interval)})` }) : null),
      el("td", { class: "lx-long", text: row.reference || "–" }));
  }

  function drawTable(data) {
    const heads = ["Model", data.score_name || "Score", "95 % interval", "Samples", "Noise floor", "Infinitely many", "Reference"];
    return el("table", { class: "lx-table" },
      el("thead", {}, el("tr", {}, heads.map((text, column) => el("th", { scope: "col", text, title: EXPLAINED[text],
        class: column > 0 && column < 6 ? "lx-number" : null })))),
      el("tbody", {}, data.rows.map(drawRow)));
  }

  const findExtractor = (data) => data.rows.map((row) => row.extractor).find(Boolean);

  function drawNotes(data) {
    const extractor = findExtractor(data);
    const notes = extractor ? [[data.score_name, `How far the features of samples are from those of real images (Fréchet distance; `
      + `extractor ${extractor}). Lower is better.`], ...NOTES] : NOTES;
    return el("details", { class: "lx-notes", open: isOpen, ontoggle: (event) => { isOpen = event.target.open; } },
      el("summary", { text: "What interval, floor and ∞ mean" }),
      el("dl", {}, notes.flatMap(([term, text]) => [el("dt", { text: term }), el("dd", { text })])));
  }

  function describeSeries(row) {
    const points = row.points || [];
    return { name: row.model, points: points.map((point) => [point.x, point.y]),
      band: points.map((point) => [point.x, point.low, point.high]),
      floors: points.map((point) => [point.x, point.floor]), floorName: row.reference,
      limit: isRange(row.infinite_n_interval)
        ? { value: row.infinite_n, low: row.infinite_n_interval[0], high: row.infinite_n_interval[1] } : null };
  }

  // What stays between two values: where the table is scrolled to, what is open, and what has the focus.
  function build() {
    page = { status: el("p", { class: "lx-status", role: "status" }), replaced: el("div"),
      chart: el("div", { class: "lx-chart" }), table: el("div", { class: "lx-scroll" }), notes: el("div") };
    root.replaceChildren(page.status, page.replaced, page.chart, page.table, page.notes);
  }

  function render(data) {
    if (!data || !data.rows) {
      page = null;
      root.replaceChildren();
      return;
    }
    if (!page) build();
    // Spoken at the end; a value each second would not be listened to.
    page.status.setAttribute("aria-live", data.is_done || data.is_stopped ? "polite" : "off");
    page.status.textContent = [data.status, data.note].filter(Boolean).join(" ");
    page.replaced.replaceChildren(...data.rows.map(replaced.draw).filter(Boolean));
    page.table.replaceChildren(drawTable(data));
    const key = `${data.score_name} ${findExtractor(data)}`;
    if (page.key !== key) page.notes.replaceChildren(drawNotes(data));
    page.key = key;
    LX.chart(page.chart, { title: `${data.score_name || "Score"} as samples accumulate (lower is better)`,
      xLabel: "samples", xMax: data.num_samples, fromZero: true, isCutEarly: true, empty: data.status, height: 300,
      series: data.rows.map(describeSeries) });
  }

  LX.keepRendered(element, context, render);
};
