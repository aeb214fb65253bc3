// A sentence and, while a job runs, a bar.
LX.progressLine = (element, context) => {
  const root = element.querySelector(".lx-progress");
  const render = () => {
    const { text = "", done = 0, total = 0 } = context.props.value || {};
    const isRunning = done < total;
    root.replaceChildren(LX.el("span", { text }),
      isRunning ? LX.el("progress", { max: total, value: done, "aria-label": text }) : "");
  };
  context.watch("value", render);
  render();
};
