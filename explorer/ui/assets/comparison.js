// Compare tab: one column per model, frames in the same order; choosing a seed enlarges it in every column.
LX.comparison = (element, context) => {
  const { el } = LX;
  const root = element.querySelector(".lx-compare");
  let chosen = null;
  let drawn = null;

  function choose(data, seed, focusIn) {
    chosen = seed;
    const index = data.seeds.indexOf(seed);
    data.columns.forEach((column, position) => {
      const figure = root.children[position];
      figure.querySelector(".lx-big").src = column.frames[index];
      figure.querySelector(".lx-big").alt = `${column.model}, seed ${seed}`;
      figure.querySelector("figcaption b").textContent = String(seed);
      [...figure.querySelectorAll(".lx-frame")].forEach((frame, item) => {
        frame.setAttribute("aria-selected", String(item === index));
        frame.tabIndex = item === index ? 0 : -1;
        if (item === index && focusIn === position) frame.focus();
      });
    });
  }

  function hover(index) {
    for (const sheet of root.querySelectorAll(".lx-sheet")) {
      [...sheet.children].forEach((frame, item) => frame.classList.toggle("is-echo", item === index));
    }
  }

  function drawColumn(data, column, position, size, columns) {
    const frames = column.frames.map((src, index) => el("button", {
      type: "button", class: "lx-frame", role: "option", "aria-label": `${column.model}, seed ${data.seeds[index]}`,
      tabindex: -1, "aria-selected": "false", "data-seed": data.seeds[index],
      onclick: () => choose(data, data.seeds[index], position),
      onmouseenter: () => hover(index), onmouseleave: () => hover(-1),
      onkeydown: (event) => {
        const next = LX.moveInSheet(event, index, data.seeds.length, columns);
        if (next !== null) choose(data, data.seeds[next], position);
      },
    },
    el("img", { src, alt: "", width: size, height: Math.round((size * column.size[1]) / column.size[0]),
      class: LX.isCrisp(size, column.size[0]) ? "is-crisp" : null, draggable: "false" }),
    el("span", { class: "lx-edge", text: String(data.seeds[index]) })));
    return el("figure", { class: "lx-column", "data-model": column.model },
      el("figcaption", {},
        el("span", { class: "lx-name", text: column.model }),
        el("span", { class: "lx-of", text: column.subtitle }),
        el("span", { class: "lx-seed" }, "Seed ", el("b", {}))),
      el("img", { class: "lx-big is-crisp", alt: "", width: columns * (size + 6) }),
      el("div", { class: "lx-sheet lx-film", role: "listbox", "aria-label": `Samples of ${column.model}`,
        style: `--columns:${columns};--frame:${size}px` }, frames));
  }

  LX.keepRendered(element, context, (data) => {
    if (!data || !data.columns) {
      LX.showNotice(root, (data && data.message) || "Developing…");
      return;
    }
    const count = data.columns.length;
    const fitting = Math.max(1, Math.min(count, Math.floor(element.clientWidth / 108)));
    const perRow = Math.ceil(count / Math.ceil(count / fitting));
    const width = element.clientWidth / perRow - 16;
    root.style.setProperty("--models", perRow);
    const wish = Math.max(2, Math.min(data.seeds.length, Math.round(width / (width < 240 ? 58 : 78))));
    const columns = [wish, wish + 1, wish - 1].find((n) => n > 1 && data.seeds.length % n === 0) || wish;
    const size = Math.floor((width - 6) / columns) - 6;
    root.replaceChildren(...data.columns.map((column, position) =>
      drawColumn(data, column, position, size, columns)));
    choose(data, data.seeds.includes(chosen) ? chosen : data.seeds[0]);
    if (data !== drawn) LX.lookAgain(); // the scores above may be of older weights
    drawn = data;
  });
};
