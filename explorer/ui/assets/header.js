// The theme follows the system until the button in the header is used; the choice is kept in the browser.
(() => {
  const KEY = "latent-explorer-theme";
  const system = window.matchMedia("(prefers-color-scheme: dark)");

  const stored = () => {
    try { return window.localStorage.getItem(KEY); } catch { return null; }
  };
  const isDark = () => (stored() ? stored() === "dark" : system.matches);
  const apply = () => document.body && document.body.classList.toggle("dark", isDark());

  document.addEventListener("DOMContentLoaded", apply);
  system.addEventListener("change", () => setTimeout(apply, 0));

  LX.header = (element) => {
    const button = element.querySelector("button.lx-theme");
    const describe = () => {
      button.setAttribute("aria-pressed", String(isDark()));
      button.querySelector("span").textContent = isDark() ? "Lights on" : "Lights off";
    };
    button.addEventListener("click", () => {
      const next = isDark() ? "light" : "dark";
      try { window.localStorage.setItem(KEY, next); } catch { /* a private window keeps nothing */ }
      document.body.classList.toggle("dark", next === "dark");
      describe();
    });
    apply();
    describe();
  };
})();
