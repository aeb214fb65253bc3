// Two switches, kept in the browser: light or dark (until it is used, the system decides), and
// whether enlarged images show their pixels as squares or smoothed.
(() => {
  const PREFIX = "latent-explorer-";
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const labels = {
    dark: { true: "Lights on", false: "Lights off" },
    smooth: { true: "Sharp", false: "Smooth" },
  };
  const titles = {
    dark: { true: "Change to the light theme", false: "Change to the dark theme" },
    smooth: { true: "Show the pixels of enlarged images", false: "Smooth enlarged images" },
  };

  const read = (name) => {
    try { return window.localStorage.getItem(PREFIX + name); } catch { return null; }
  };
  const isOn = (name) => {
    const kept = read(name);
    return kept === null ? name === "dark" && system.matches : kept === "true";
  };
  const apply = () => {
    if (!document.body) return;
    document.body.classList.toggle("dark", isOn("dark"));
    document.body.classList.toggle("lx-smooth", isOn("smooth"));
  };

  document.addEventListener("DOMContentLoaded", apply);
  system.addEventListener("change", () => setTimeout(apply, 0));

  LX.header = (element) => {
    for (const button of element.querySelectorAll("button.lx-switch")) {
      const name = button.dataset.switch;
      const describe = () => {
        button.textContent = labels[name][isOn(name)];
        button.title = titles[name][isOn(name)];
      };
      button.addEventListener("click", () => {
        const next = !isOn(name);
        try { window.localStorage.setItem(PREFIX + name, String(next)); } catch { /* a private window keeps nothing */ }
        document.body.classList.toggle(name === "dark" ? "dark" : "lx-smooth", next);
        button.textContent = labels[name][next];
        button.title = titles[name][next];
      });
      describe();
    }
    apply();
  };
})();
