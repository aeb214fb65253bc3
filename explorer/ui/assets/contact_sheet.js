// Sample tab: a contact sheet of frames with their seeds as edge print, and a loupe for the chosen one.
// With a label across, each row is a seed and each column one of the label's values. What is on the
// screen, the chosen frame and the weights it is of, is in LX.shownSheet for whoever saves it.
LX.contactSheet = (element, context) => {
  const { el } = LX;
  const root = element.querySelector(".lx-sample");
  let chosen = null;

  function choose(data, key, isFocused) {
    const frame = data.frames.find((item) => item.key === key);
    LX.shownSheet = { model: data.model, checkpoint: data.checkpoint, seed: frame.seed, row: frame.row,
      truncation: data.truncation };
    chosen = key;
    for (const node of root.querySelectorAll(".lx-frame")) {
      const isChosen = node.dataset.key === key;
      node.setAttribute("aria-selected", String(isChosen));
      node.tabIndex = isChosen ? 0 : -1;
      if (isChosen && isFocused) node.focus();
    }
    drawLoupe(data, frame);
  }

  function drawLabels(frame) {
    const readings = frame.readings || [];
    const mark = (item) => (item.is_right === null ? "" : item.is_right ? " ✓" : " ✗");
    return frame.labels.length === 0 ? null : el("table", { class: "lx-read" },
      el("thead", {}, el("tr", {}, el("th", { scope: "col", text: "Label" }), el("th", { scope: "col", text: "Asked" }),
        readings.length ? el("th", { scope: "col", text: "Read by a stranger" }) : null)),
      el("tbody", {}, frame.labels.map((label, index) => el("tr", {},
        el("th", { scope: "row", text: LX.spellLabel(label.name) }),
        el("td", {}, LX.drawColour(label.text), el("span", { text: LX.spellLabel(label.text) })),
        readings.length ? el("td", { class: readings[index].is_right === false ? "is-wrong" : null },
          LX.nameColour(readings[index].read) || LX.spellLabel(readings[index].read), mark(readings[index])) : null))));
  }

  function drawLoupe(data, frame) {
    const loupe = root.querySelector(".lx-loupe");
    const send = (slot) => () => context.trigger(slot, { seed: frame.seed, row: frame.row, model: data.model,
      checkpoint: data.checkpoint, truncation: data.truncation });
    loupe.replaceChildren(
      el("img", { src: frame.src, alt: `${frame.name}, enlarged`, class: "is-crisp" }),
      el("div", { class: "lx-loupe-text" },
        el("p", { class: "lx-seed" }, el("span", { text: "Seed" }), el("b", { text: String(frame.seed) })),
        drawLabels(frame),
        el("div", { class: "lx-actions", role: "group", "aria-label": "Send to Interpolate" },
          el("button", { type: "button", class: "lx-button", onclick: send("use_a"), text: "Start a morph here" }),
          el("button", { type: "button", class: "lx-button", onclick: send("use_b"), text: "End a morph here" }))));
  }

  // Short enough for the smallest frame; the loupe has all of it.
  function drawVerdict(frame) {
    if (!frame.readings) return null;
    const round = (text) => (Math.abs(text) >= 10 ? Math.round(text) : Number(Number(text).toPrecision(2)));
    const classes = frame.readings.filter((item) => item.is_right !== null);
    const numbers = frame.readings.filter((item) => item.is_right === null).map((item) => round(item.read));
    const wrong = classes.filter((item) => !item.is_right).map((item) => LX.spellLabel(item.read));
    const mark = !classes.length ? [] : !wrong.length ? ["✓"] : ["✗", classes.length === 1 ? wrong[0] : wrong.length];
    return el("span", { class: wrong.length ? "lx-verdict-mark is-wrong" : "lx-verdict-mark",
      text: [...mark, ...numbers].join(" "), title: wrong.join(", ") || null });
  }

  function drawFrame(data, frame, index, size, columns) {
    return el("button", {
      type: "button", class: "lx-frame", role: "option", "data-seed": frame.seed, "data-key": frame.key,
      "aria-selected": "false", tabindex: -1, "aria-label": frame.name,
      onclick: () => choose(data, frame.key, true),
      onkeydown: (event) => {
        const next = LX.moveInSheet(event, index, data.frames.length, columns);
        if (next !== null) choose(data, data.frames[next].key, true);
      },
    },
    el("img", { src: frame.src, alt: "", width: size, height: Math.round((size * data.size[1]) / data.size[0]),
      class: LX.isCrisp(size, data.size[0]) ? "is-crisp" : null, draggable: "false" }),
    el("span", { class: "lx-edge", text: String(frame.seed) }), drawVerdict(frame));
  }

  // A label's values above their columns, a seed before each row.
  function addAxes(data, nodes, columns) {
    const side = (text, isSide) => el("span", { class: isSide ? "lx-axis is-side" : "lx-axis", "aria-hidden": "true" },
      LX.drawColour(text) || LX.spellLabel(text));
    const rows = [];
    for (let start = 0; start < nodes.length; start += columns) {
      rows.push(side(String(data.frames[start].seed), true), ...nodes.slice(start, start + columns));
    }
    return [side(data.axis.name, true), ...data.axis.columns.map((text) => side(text, false)), ...rows];
  }

  LX.keepRendered(element, context, (data) => {
    if (!data || !data.frames) {
      LX.shownSheet = null;
      LX.showNotice(root, (data && data.message) || "Developing…");
      return;
    }
    const isWide = element.clientWidth >= 560;
    const room = { width: element.clientWidth - (isWide ? 268 : 8),
      height: Math.max(300, Math.min(window.innerHeight - (isWide ? 170 : 330), 860)) };
    const { size, columns } = data.axis
      ? LX.fitColumns({ columns: data.axis.columns.length, native: data.size, pad: 6, side: 70, largest: 160, ...room })
      : LX.fitSheet({ count: data.frames.length, native: data.size, pad: 6, bands: 34, largest: 384, ...room });
    const hadFocus = root.contains(document.activeElement) && document.activeElement.matches(".lx-frame");
    const nodes = data.frames.map((frame, index) => drawFrame(data, frame, index, size, columns));
    const sheet = el("div", { class: data.axis ? "lx-sheet lx-film has-axes" : "lx-sheet lx-film", role: "listbox",
      "aria-label": `Samples of ${data.model}`, style: `--columns:${columns};--frame:${size}px` },
    data.axis ? addAxes(data, nodes, columns) : nodes);
    const note = data.note ? el("p", { class: "lx-say", text: data.note }) : null;
    root.replaceChildren(el("div", { class: "lx-scroll" }, sheet, note), el("div", { class: "lx-loupe", "aria-live": "polite" }));
    const isStillThere = data.frames.some((frame) => frame.key === chosen);
    choose(data, isStillThere ? chosen : data.frames[0].key, hadFocus);
  });
};
