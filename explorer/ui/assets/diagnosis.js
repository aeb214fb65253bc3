// Diagnose tab: verdicts at the top, then one section per question with a cell for each model.
LX.diagnosis = (element, context) => {
  const { el, svg } = LX;
  const root = element.querySelector(".lx-diagnosis");
  const replaced = LX.findReplaced(context, () => (context.props.value || {}).cases || [],
    () => { if (element.clientWidth) render(context.props.value); });
  const store = LX.imageStore(context.server, replaced.ask);
  const LEVELS = { good: "good", warn: "take care", bad: "bad", unknown: "undecided" };
  const WIDE_CELL = 720;
  let page = null; // what is built: {key, verdicts, cells}

  // Told apart by shape: tick in a disc, bar in a triangle, cross in a square, dots in a ring.
  const SHAPES = {
    good: ["M8 0a8 8 0 100 16A8 8 0 008 0Z", "M4.2 8.3l2.6 2.6 5-5.4"],
    warn: ["M8 .6L16 15.2H0Z", "M8 6v3.4M8 12.4v.1"],
    bad: ["M0 0h16v16H0Z", "M4.5 4.5l7 7M11.5 4.5l-7 7"],
    unknown: ["M8 0a8 8 0 100 16A8 8 0 008 0Z", "M4.4 8h.1M8 8h.1M11.6 8h.1"],
  };
  const drawLevel = (level) => svg("svg", { class: "lx-level", "data-level": level, viewBox: "-1 -1 18 18", width: 18, height: 18,
    role: "img", "aria-label": LEVELS[level] || level },
  svg("path", { class: "lx-level-shape", d: SHAPES[level][0] }), svg("path", { class: "lx-level-sign", d: SHAPES[level][1] }));

  const findPart = (data, key) => data.verdict && data.verdict.findings.find((item) => item.part === key);

  function listFigures(data) {
    const metric = (key) => data.spread && data.spread.metrics.find((row) => row.key === key);
    const recall = metric("recall");
    const missing = (data.modes || []).flatMap((mode) => mode.missing.map((value) => `${LX.spellLabel(mode.name)}: ${value}`));
    const areModesTold = data.modes && data.modes.length && findPart(data, "modes")?.level !== "unknown";
    const copying = data.copying && !data.copying.reason ? data.copying : null;
    return [
      data.duplicates && ["Different images", ...LX.describeSupport(data.duplicates)],
      copying && ["As close as a copy", LX.formatShare(copying.close_share), `real images ${LX.formatShare(copying.expected_share)}`],
      data.spread && ["Spread", `${data.spread.ratio.toFixed(2)} ×`, "that of real images"],
      recall && ["Recall", LX.formatScore(recall.value), recall.real_value === null ? null : `real images ${LX.formatScore(recall.real_value)}`],
      areModesTold ? ["Modes missing", String(missing.length), missing.slice(0, 3).join(", ") || `in ${data.modes.length} labels`] : null,
    ].filter(Boolean);
  }

  function describeStage(data, isStopped) {
    const count = data.num_samples ? `${LX.formatCount(data.num_samples)} of ${LX.formatCount(data.target)} samples` : "";
    if (isStopped && !data.is_done) return `Stopped${count && ` at ${count}`}; what was measured until then stays.`;
    if (!data.stage) return "Waiting for the first samples.";
    return data.stage.includes("samples") ? data.stage : `${data.stage} (${count})`;
  }

  function drawVerdict(article, data, isStopped) {
    const verdict = data.verdict;
    const level = verdict ? verdict.level : "unknown";
    const isRunning = !data.error && !data.is_done && !isStopped;
    const call = data.error ? "Cannot be diagnosed" : verdict ? verdict.title : isRunning ? "Measuring" : "Stopped early";
    article.dataset.level = data.error ? "unknown" : level;
    article.replaceChildren(...[
      el("header", {}, el("h3", { text: data.model }), el("p", { class: "lx-of", text: data.subtitle })),
      replaced.draw(data),
      el("p", { class: "lx-call" }, drawLevel(data.error ? "unknown" : level), el("strong", { text: call })),
      data.error || verdict ? el("p", { class: "lx-reason", text: data.error || verdict.text }) : null,
      data.error ? null : LX.drawFigures(listFigures(data)),
      data.error ? null : el("p", { class: "lx-stage-line" }, el("span", { text: describeStage(data, isStopped) })),
      isRunning ? el("progress", { max: data.target || 1, value: data.num_samples || 0, "aria-label": `Samples of ${data.model}` }) : null,
    ].filter(Boolean));
  }

  function drawCell(cell, part, data, value) {
    const isStopped = !!value.is_stopped;
    cell.replaceChildren(...(page.count > 1 ? [el("p", { class: "lx-cell-model", text: data.model })] : []));
    cell.dataset.state = "drawn";
    cell.classList.toggle("is-wide", cell.clientWidth >= WIDE_CELL);
    const finding = findPart(data, part.key);
    if (finding) {
      cell.append(el("p", { class: "lx-finding", "data-level": finding.level }, drawLevel(finding.level), el("span", { text: finding.text })));
    }
    if (part.read(data, value.cases)) {
      part.draw(cell, data, { store, trigger: context.trigger, cases: value.cases, isWide: cell.clientWidth >= WIDE_CELL, isStopped,
        memory: memories[`${part.key} ${data.model}`] = memories[`${part.key} ${data.model}`] || {} });
      return;
    }
    cell.dataset.state = "empty";
    const note = (part.note && part.note(data)) || (data.error ? "Not measured." : data.is_done || isStopped ? "Was not measured." : "Not measured yet.");
    cell.append(el("p", { class: "lx-say", text: note }));
  }
  const memories = {};

  // A cell is drawn again only when its own values or its width change, so that what is hovered,
  // focused or folded out stays while other parts go on.
  function updateCell(cell, part, data, value) {
    if (part.isFolded && !cell.closest("details").open) return;
    const finding = findPart(data, part.key);
    const state = JSON.stringify([part.read(data, value.cases), finding, data.error, data.mode_note, data.label_note, data.is_done,
      value.is_stopped, cell.clientWidth]);
    if (page.states.get(cell) === state) return;
    page.states.set(cell, state);
    const opened = [...cell.querySelectorAll("details")].map((details) => details.open);
    const focus = [...cell.querySelectorAll("button, summary, [tabindex]")].indexOf(document.activeElement);
    drawCell(cell, part, data, value);
    [...cell.querySelectorAll("details")].forEach((details, index) => { details.open = opened[index] || false; });
    if (focus >= 0) [...cell.querySelectorAll("button, summary, [tabindex]")][focus]?.focus();
  }

  function build(value, count) {
    page = { count, states: new Map(), verdicts: [], cells: [] };
    // Spoken at the end; what is seen is in the verdicts.
    page.status = el("p", { class: "lx-status lx-spoken", role: "status" });
    page.verdicts = value.cases.map((data) => el("article", { class: "lx-verdict", "data-model": data.model }));
    const sections = LX.EVIDENCE.map((part) => {
      const cells = value.cases.map((data) => el("div", { class: "lx-cell", "data-model": data.model }));
      page.cells.push([part, cells]);
      const grid = el("div", { class: "lx-columns" }, cells);
      if (part.isFolded) {
        return el("details", { class: "lx-part", "data-part": part.key, ontoggle: () => render(context.props.value) },
          el("summary", {}, el("h3", { text: part.title })), grid);
      }
      return el("section", { class: "lx-part", "data-part": part.key, "aria-label": part.title },
        el("header", {}, el("h3", { text: part.title }), el("p", { class: "lx-of", text: part.question })), grid);
    });
    root.style.setProperty("--models", count);
    root.replaceChildren(page.status, el("div", { class: "lx-columns lx-verdicts" }, page.verdicts), ...sections);
  }

  function drawEmpty(message) {
    page = null;
    root.replaceChildren(el("div", { class: "lx-preface" },
      el("h2", { text: "Has it collapsed? Does it copy its training data?" }),
      el("p", { text: message || "Choose one model, or two to see beside each other, and start. The first values come within seconds; "
        + "1,024 samples take about a minute on two processor cores. Stop whenever you have seen enough." }),
      el("dl", {}, LX.EVIDENCE.filter((part) => part.question).map((part) =>
        el("div", {}, el("dt", { text: part.title }), el("dd", { text: part.question }))))));
  }

  function render(value) {
    if (!value || !value.cases || !value.cases.length) {
      drawEmpty(value && value.message);
      return;
    }
    const key = JSON.stringify(value.cases.map((data) => data.model));
    const isFresh = value.cases.every((data) => data.num_samples === undefined && !data.error);
    if (isFresh) store.clear();
    if (!page || page.key !== key) {
      build(value, value.cases.length);
      page.key = key;
    }
    root.classList.toggle("is-narrow", element.clientWidth < 700);
    // Where nothing can be measured at all, there is nothing to show below the reason.
    const isHopeless = value.cases.every((data) => data.error && data.num_samples === undefined);
    for (const section of root.querySelectorAll(".lx-part")) section.hidden = isHopeless;
    page.status.setAttribute("aria-live", value.is_done || value.is_stopped ? "polite" : "off");
    page.status.textContent = value.status;
    value.cases.forEach((data, column) => drawVerdict(page.verdicts[column], data, !!value.is_stopped));
    for (const [part, cells] of page.cells) {
      if (part.isMeant && !value.cases.some(part.isMeant)) cells[0].closest(".lx-part").hidden = true;
      value.cases.forEach((data, column) => updateCell(cells[column], part, data, value));
    }
  }

  LX.keepRendered(element, context, render);
};
