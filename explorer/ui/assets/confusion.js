// Diagnose tab: whether an independent reader sees, in the samples, the labels that were asked for.
(() => {
  const { el } = LX;
  const MAX_MATRIX = 16; // larger ones are a list of what is confused most

  // Of many images a rounded 100 % would hide the few that are wrong.
  const formatFine = (share) => `${(100 * share).toFixed(1)} %`;
  const describeReal = (label) => (label.error === null
    ? `of ${LX.formatCount(label.num_samples)} samples; real images ${formatFine(label.real_value)}`
    : `rank correlation of ${LX.formatCount(label.num_samples)} samples; real images ${LX.formatScore(label.real_value)}`);

  // A cell is as strong as its share of its row, which on the diagonal should be all of it; beside
  // the diagonal few images are to be seen as well.
  function drawMatrix(label) {
    const totals = label.confusion.map((row) => row.reduce((sum, count) => sum + count, 0));
    const name = (value) => LX.nameColour(value) || el("span", { text: LX.spellLabel(value), title: value });
    return el("div", { class: "lx-scroll" }, el("table", { class: "lx-confusion",
      "aria-label": `${LX.spellLabel(label.name)}: asked for in rows, read in columns` },
    el("thead", {}, el("tr", {}, el("td", { class: "lx-corner", text: "asked ↓ read →" }),
      label.values.map((value) => el("th", { scope: "col" }, name(value))))),
    el("tbody", {}, label.confusion.map((row, asked) => el("tr", {}, el("th", { scope: "row" }, name(label.values[asked])),
      row.map((count, read) => {
        const share = totals[asked] ? count / totals[asked] : 0;
        return el("td", { class: asked === read ? "is-right" : null, style: `--share:${(asked === read ? share : Math.sqrt(share)).toFixed(3)}`,
          title: `${label.values[asked]} read as ${label.values[read]}: ${count} of ${totals[asked]}`,
          text: count ? String(Math.round(share * 100)) : "" });
      }))))));
  }

  function drawConfused(label) {
    const pairs = label.confusion.flatMap((row, asked) => row.map((count, read) => [asked, read, count]))
      .filter(([asked, read, count]) => asked !== read && count).sort((a, b) => b[2] - a[2]).slice(0, 8);
    return el("ul", { class: "lx-confused" }, pairs.map(([asked, read, count]) =>
      el("li", { text: `${label.values[asked]} read as ${label.values[read]}: ${count}` })));
  }

  function drawLabel(label) {
    const figures = [[LX.spellLabel(label.name), label.error === null ? formatFine(label.value) : LX.formatScore(label.value),
      describeReal(label)]];
    if (label.error !== null) {
      figures.push(["mean error", LX.formatScore(label.error), `real images ${LX.formatScore(label.real_error)}`]);
    }
    return el("section", { class: "lx-fidelity", "data-label": label.name }, LX.drawFigures(figures),
      label.confusion && (label.values.length <= MAX_MATRIX ? drawMatrix(label) : drawConfused(label)));
  }

  LX.drawFidelity = (cell, data) => cell.append(
    el("div", { class: "lx-full" }, el("div", { class: "lx-fidelities" }, data.labels.map(drawLabel))));
})();
