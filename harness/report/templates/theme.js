(() => {
  "use strict";
  const names = ["auto", "light", "dark"], root = document.documentElement;
  let theme = "auto";
  try { theme = localStorage.getItem("theme") || theme; } catch { /* no storage: the theme is not saved */ }
  const apply = () => {
    if (theme === "auto") root.removeAttribute("data-theme"); else root.setAttribute("data-theme", theme);
  };
  apply();
  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const show = () => { button.textContent = `Theme: ${theme}`; };
    show();
    button.hidden = false;
    button.addEventListener("click", () => {
      theme = names[(names.indexOf(theme) + 1) % names.length];
      try { localStorage.setItem("theme", theme); } catch { /* as above */ }
      apply();
      show();
    });
    const copy = document.getElementById("copy");
    if (copy && navigator.clipboard) {
      copy.hidden = false;
      copy.addEventListener("click", async () => {
        await navigator.clipboard.writeText(document.getElementById("issue").textContent);
        copy.textContent = "Copied";
      });
    }
  });
})();
