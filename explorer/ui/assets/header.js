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

  const chosen = {}; // where the browser keeps nothing, until the page is closed
  const describers = [];
  const read = (name) => {
    if (name in chosen) return chosen[name];
    try { return window.localStorage.getItem(PREFIX + name); } catch { return null; }
  };
  const isOn = (name) => {
    const kept = read(name);
    return kept === null ? name === "dark" && system.matches : kept === "true";
  };
  // A variable: Gradio confines style sheets to its container, where no class of <body> reaches.
  const show = (name, on) => {
    if (name === "dark") document.body?.classList.toggle("dark", on);
    else document.documentElement.style.setProperty("--lx-pixels", on ? "auto" : "pixelated");
  };
  const apply = () => {
    ["dark", "smooth"].forEach((name) => show(name, isOn(name)));
    describers.forEach((describe) => describe());
  };

  // Gradio adds this script to the page before or after its body is there.
  apply();
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
        chosen[name] = String(!isOn(name));
        try { window.localStorage.setItem(PREFIX + name, chosen[name]); } catch { /* a private window keeps nothing */ }
        apply();
      });
      describers.push(describe);
    }
    apply();
  };
})();
