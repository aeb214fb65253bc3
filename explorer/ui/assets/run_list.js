// Models tab: the list of trainings. Rows are kept and only their text changes, so that neither the focus nor the
// place in the list is lost while they run.
LX.runList = (holder, choose) => {
  const { el } = LX;
  const rows = new Map();

  function buildRow(name) {
    const part = (kind) => el("span", { class: `lx-run-${kind}` });
    const parts = Object.fromEntries(["name", "subtitle", "state", "progress", "score"].map((kind) => [kind, part(kind)]));
    const bar = el("progress", { max: 1, value: 0, "aria-hidden": "true" });
    const button = el("button", { type: "button", class: "lx-training", "aria-expanded": "false", "data-run": name, onclick: () => choose(name) },
      el("span", { class: "lx-run-what" }, parts.name, parts.subtitle),
      el("span", { class: "lx-run-how" }, parts.state, parts.progress, bar), parts.score);
    return { item: el("li", {}, button), button, bar, parts };
  }

  function fillRow({ button, bar, parts }, run, chosen) {
    parts.name.textContent = run.name;
    parts.subtitle.textContent = run.problem || run.subtitle;
    parts.subtitle.classList.toggle("is-problem", Boolean(run.problem));
    parts.state.textContent = run.state;
    parts.state.classList.toggle("is-running", run.is_running);
    parts.progress.textContent = [run.progress, run.left].filter(Boolean).join(", ");
    bar.hidden = run.share === null;
    bar.value = run.share || 0;
    parts.score.textContent = run.score === null ? "not scored" : `${run.score_name} ${LX.formatScore(run.score)}`;
    button.setAttribute("aria-expanded", String(run.name === chosen));
  }

  // Rows that are where they belong stay untouched: a moved node would lose the focus.
  function order(runs) {
    runs.forEach((run, index) => {
      const { item } = rows.get(run.name);
      if (holder.children[index] !== item) holder.insertBefore(item, holder.children[index] || null);
    });
  }

  return (runs, chosen) => {
    const names = new Set(runs.map((run) => run.name));
    for (const [name, row] of rows) {
      if (names.has(name)) continue;
      row.item.remove();
      rows.delete(name);
    }
    for (const run of runs) {
      if (!rows.has(run.name)) rows.set(run.name, buildRow(run.name));
      fillRow(rows.get(run.name), run, chosen);
    }
    order(runs);
  };
};
