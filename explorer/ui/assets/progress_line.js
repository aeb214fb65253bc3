// A sentence and, while a job runs, a bar. It is spoken once the job is done; steps are not.
LX.progressLine = (element, context) => {
  const root = element.querySelector(".lx-progress");
  const render = () => {
    const { text = "", done = 0, total = 0 } = context.props.value || {};
    const isRunning = done < total;
    root.setAttribute("aria-live", isRunning ? "off" : "polite");
    root.replaceChildren(LX.el("span", { text }),
      isRunning ? LX.el("progress", { max: total, value: done, "aria-label": text }) : "");
  };
  context.watch("value", render);
  render();
};
