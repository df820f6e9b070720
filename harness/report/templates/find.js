// Finds rows and suites by words, and lists them below the heading.
(() => {
  "use strict";
  const MOST = 12;
  const form = document.getElementById("find");
  const text = document.getElementById("find-text");
  const status = document.getElementById("find-status");
  const found = document.getElementById("found");
  const filter = document.getElementById("by-text");
  const lower = (...parts) => parts.join(" ").toLowerCase();
  const sets = [...document.querySelectorAll("a.set")].map((link) => [link, lower(link.textContent, link.dataset.search)]);
  const lines = [...document.getElementById("rows").tBodies[0].rows]
    .map((line) => [line, lower(line.textContent, line.dataset.search, line.dataset.part)]);
  const item = (...nodes) => {
    const li = document.createElement("li");
    li.append(...nodes);
    return li;
  };
  const of = (line, ...keys) => keys.map((key) => line.querySelector(`[data-of=${key}]`).textContent.trim());

  const show = () => {
    const words = lower(text.value).split(/\s+/).filter(Boolean);
    const fits = ([, its]) => words.every((word) => its.includes(word));
    const [ofSets, rows] = words.length ? [sets.filter(fits), lines.filter(fits)] : [[], []];
    found.replaceChildren(
      ...ofSets.slice(0, MOST).map(([link]) => item(link.cloneNode(true), " suite")),
      ...rows.slice(0, MOST).map(([line]) => item(line.querySelector("a").cloneNode(true), ` ${of(line, "suite", "size", "metric", "published").join(" · ")}`)),
    );
    if (rows.length > MOST) {
      const more = document.createElement("button");
      more.type = "button";
      more.textContent = `All ${rows.length} rows in the table`;
      more.addEventListener("click", () => document.getElementById("all").scrollIntoView());
      found.append(item(more));
    }
    status.textContent = words.length ? `${rows.length} of ${lines.length} rows` : "";
  };

  form.hidden = false;
  text.value = filter.value;
  text.addEventListener("input", () => {
    filter.value = text.value;
    filter.dispatchEvent(new Event("input", { bubbles: true })); // filters the table, and updates the address
    show();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  show();
})();
