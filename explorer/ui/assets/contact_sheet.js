// Sample tab: a contact sheet of frames with their seeds as edge print, and a loupe for the chosen one.
LX.contactSheet = (element, context) => {
  const { el } = LX;
  const root = element.querySelector(".lx-sample");
  let chosen = null;

  function choose(data, seed, isFocused) {
    if (seed !== chosen) context.trigger("choose", { seed });
    chosen = seed;
    for (const frame of root.querySelectorAll(".lx-frame")) {
      const isChosen = Number(frame.dataset.seed) === seed;
      frame.setAttribute("aria-selected", String(isChosen));
      frame.tabIndex = isChosen ? 0 : -1;
      if (isChosen && isFocused) frame.focus();
    }
    drawLoupe(data);
  }

  function drawLoupe(data) {
    const frame = data.frames.find((item) => item.seed === chosen);
    const loupe = root.querySelector(".lx-loupe");
    const send = (slot) => () =>
      context.trigger(slot, { seed: frame.seed, model: data.model, truncation: data.truncation });
    loupe.replaceChildren(
      el("img", { src: frame.src, alt: `Seed ${frame.seed}, enlarged`, class: "is-crisp" }),
      el("div", { class: "lx-loupe-text" },
        el("p", { class: "lx-seed" }, el("span", { text: "Seed" }), el("b", { text: String(frame.seed) })),
        el("div", { class: "lx-actions", role: "group", "aria-label": "Send to Interpolate" },
          el("button", { type: "button", class: "lx-button", onclick: send("use_a"), text: "Start a morph here" }),
          el("button", { type: "button", class: "lx-button", onclick: send("use_b"), text: "End a morph here" }))));
  }

  function drawFrame(data, frame, index, size, columns) {
    return el("button", {
      type: "button", class: "lx-frame", role: "option", "data-seed": frame.seed, "aria-selected": "false",
      tabindex: -1, "aria-label": `Seed ${frame.seed}`,
      onclick: () => choose(data, frame.seed, true),
      onkeydown: (event) => {
        const next = LX.moveInSheet(event, index, data.frames.length, columns);
        if (next !== null) choose(data, data.frames[next].seed, true);
      },
    },
    el("img", { src: frame.src, alt: "", width: size, height: Math.round((size * data.size[1]) / data.size[0]),
      class: LX.isCrisp(size, data.size[0]) ? "is-crisp" : null, draggable: "false" }),
    el("span", { class: "lx-edge", text: String(frame.seed) }));
  }

  LX.keepRendered(element, context, (data) => {
    if (!data || !data.frames) {
      LX.showNotice(root, (data && data.message) || "Developing…");
      return;
    }
    const isWide = element.clientWidth >= 560;
    const { size, columns } = LX.fitSheet({
      count: data.frames.length, native: data.size, pad: 6, bands: 34, largest: 384,
      width: element.clientWidth - (isWide ? 268 : 8),
      height: Math.max(300, Math.min(window.innerHeight - (isWide ? 170 : 330), 860)),
    });
    const hadFocus = root.contains(document.activeElement) && document.activeElement.matches(".lx-frame");
    const sheet = el("div", { class: "lx-sheet lx-film", role: "listbox", "aria-label": `Samples of ${data.model}`,
      style: `--columns:${columns};--frame:${size}px` },
    data.frames.map((frame, index) => drawFrame(data, frame, index, size, columns)));
    root.replaceChildren(sheet, el("div", { class: "lx-loupe", "aria-live": "polite" }));
    const isStillThere = data.frames.some((frame) => frame.seed === chosen);
    choose(data, isStillThere ? chosen : data.frames[0].seed, hadFocus);
  });
};
