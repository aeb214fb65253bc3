// Compare tab: the score of every model as its samples accumulate, as a chart and as a table.
LX.scoreBoard = (element, context) => {
  const { el } = LX;
  const root = element.querySelector(".lx-board");
  const cells = (row) => [
    el("th", { scope: "row", text: row.model }), el("td", { class: "lx-number", text: LX.formatScore(row.value) }),
    el("td", { class: "lx-number", text: row.num_samples ? LX.formatCount(row.num_samples) : "–" }),
    el("td", { class: "lx-number", text: (row.is_noise_floor_measured === false ? "~" : "") + LX.formatScore(row.noise_floor) }),
    el("td", { text: row.extractor || "–" }), el("td", { text: row.reference || "–" }),
  ];

  LX.keepRendered(element, context, (data) => {
    if (!data || !data.rows) {
      root.replaceChildren();
      return;
    }
    const chart = el("div", { class: "lx-chart" });
    const table = el("table", { class: "lx-table" },
      el("thead", {}, el("tr", {}, ["Model", data.score_name || "Score", "Samples", "Noise floor", "Extractor", "Reference"]
        .map((text, column) => el("th", { scope: "col", text, class: column > 0 && column < 4 ? "lx-number" : null })))),
      el("tbody", {}, data.rows.map((row) => el("tr", { "data-model": row.model }, cells(row)))));
    root.replaceChildren(el("p", { class: "lx-status", role: "status", text: data.status }), chart,
      el("div", { class: "lx-scroll" }, table));
    LX.chart(chart, { title: `${data.score_name || "Score"} as samples accumulate (lower is better)`,
      xLabel: "samples", xMax: data.num_samples, fromZero: true, empty: data.status,
      series: data.rows.map((row) => ({ name: row.model, points: row.points, floor: row.noise_floor })) });
  });
};
