// The labels of a model: a row of choices for classes, a slider for numbers; each may be left open.
LX.labelPanel = (element, context) => {
  const { el } = LX;
  const MAX_CHIPS = 12; // more values are a list to open
  const root = element.querySelector(".lx-labels");
  const group = `labels-${Math.random().toString(36).slice(2)}`;
  let drawn = "";

  function choose(name, value) {
    const chosen = { ...context.props.value.chosen };
    if (value === null) delete chosen[name];
    else chosen[name] = value;
    const next = { ...context.props.value, chosen };
    drawn = JSON.stringify(next); // what the hand does is on the page already
    context.props.value = next;
    context.trigger("input", {});
  }

  function drawChips(data, label, chosen) {
    const choices = [[data.unset, null], ...label.values.map((text) => [text, text])];
    return el("div", { class: "lx-chips" }, choices.map(([text, value]) =>
      el("label", { class: value === null ? "lx-chip is-open" : "lx-chip" },
        el("input", { type: "radio", name: `${group}-${label.name}`, checked: (chosen ?? null) === value,
          "aria-label": LX.spellLabel(text), onchange: () => choose(label.name, value) }),
        LX.drawColour(text) || el("span", { text: LX.spellLabel(text), "aria-hidden": "true" }))));
  }

  function drawList(data, label, chosen) {
    const select = el("select", { class: "lx-select", "aria-label": LX.spellLabel(label.name),
      onchange: () => choose(label.name, select.selectedIndex ? label.values[select.selectedIndex - 1] : null) },
    el("option", { text: data.unset, selected: chosen === undefined }),
    label.values.map((text) => el("option", { text: LX.spellLabel(text), selected: chosen === text })));
    return select;
  }

  function drawSlider(data, label, chosen) {
    const write = (value) => (Math.abs(value) < 1000 ? Number(Number(value).toPrecision(4)) : Math.round(value)).toString();
    const spell = (value) => (value === undefined ? data.unset : write(value));
    const readout = el("output", { text: spell(chosen) });
    const range = el("input", { type: "range", min: label.low, max: label.high, step: label.step,
      value: chosen ?? label.middle, "aria-label": LX.spellLabel(label.name), "aria-valuetext": spell(chosen),
      oninput: () => { open.hidden = false; show(range.value); choose(label.name, Number(range.value)); } });
    const open = el("button", { type: "button", class: "lx-link", hidden: chosen === undefined, text: data.unset,
      onclick: () => { open.hidden = true; range.value = label.middle; show(undefined); choose(label.name, null);
        range.focus(); } }); // it had the focus, and is gone

    function show(value) {
      readout.textContent = spell(value);
      range.setAttribute("aria-valuetext", spell(value));
    }

    return el("div", { class: "lx-number-label" }, range, el("div", { class: "lx-number-text" }, readout, open));
  }

  LX.keepRendered(element, context, (data) => {
    const state = JSON.stringify(data);
    if (state === drawn) return;
    drawn = state;
    if (!data || !data.labels || !data.labels.length) {
      root.replaceChildren();
      return;
    }
    root.replaceChildren(el("h3", { text: data.title }), ...data.labels.map((label) => {
      const chosen = data.chosen[label.name];
      const control = !label.values ? drawSlider(data, label, chosen)
        : label.values.length <= MAX_CHIPS ? drawChips(data, label, chosen) : drawList(data, label, chosen);
      return el("fieldset", { class: "lx-label" }, el("legend", { text: LX.spellLabel(label.name) }), control);
    }));
  });
};
