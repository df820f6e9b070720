// Sorts, filters and searches the table of rows. The fragment of the address holds the state, so that views can be linked.
(() => {
  "use strict";
  const table = document.getElementById("rows");
  const form = document.getElementById("controls");
  const status = document.getElementById("status");
  const body = table.tBodies[0];
  const lines = [...body.rows];
  const filters = [...form.querySelectorAll("select")];
  const search = form.elements.q;
  const metrics = [...form.querySelectorAll("input[name=metric]")];
  const heads = [...table.tHead.querySelectorAll("th[data-key]")];
  // The heads of the columns from left to right; those of a group are in the second line. Cells copy their data.
  const below = [...(table.tHead.rows[1]?.cells ?? [])];
  const columns = [...table.tHead.rows[0].cells].flatMap((head) => head.colSpan > 1 ? below.splice(0, head.colSpan) : head);
  for (const line of lines) {
    [...line.cells].forEach((cell, at) => {
      const head = columns[at];
      cell.dataset.of = head.dataset.key;
      if (head.dataset.metric) cell.dataset.metric = head.dataset.metric;
      if (!head.classList.contains("num") || cell.dataset.sort !== undefined) return;
      const number = parseFloat(cell.textContent.trim().replace("\u2212", "-").replaceAll(",", ""));
      cell.dataset.sort = Number.isNaN(number) ? "" : number;
    });
  }
  const column = new Map(heads.map((head) => [head.dataset.key, head]));
  const words = new Map(lines.map((line) => [line, `${line.textContent} ${line.dataset.search}`.toLowerCase()]));
  let sort = "", descending = false;

  const cell = (line, key) => line.querySelector(`[data-of="${CSS.escape(key)}"]`);
  const value = (line, key) => {
    const { sort: number } = cell(line, key).dataset;
    return number === undefined ? cell(line, key).textContent.trim().toLowerCase() : number === "" ? null : Number(number);
  };
  const compare = (a, b) => {
    const [x, y] = [value(a, sort), value(b, sort)];
    if (x === null || y === null) return (x === null) - (y === null); // unknown values come last
    const order = typeof x === "number" ? x - y : x.localeCompare(y, "en", { numeric: true });
    return (descending ? -order : order) || lines.indexOf(a) - lines.indexOf(b);
  };

  const show = () => {
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const line of lines) {
      const fits = filters.every((filter) => !filter.value || line.dataset[filter.name] === filter.value)
        && wanted.every((word) => words.get(line).includes(word));
      line.hidden = !fits;
      shown += fits;
    }
    body.append(...(sort ? [...lines].sort(compare) : lines));
    for (const head of heads) {
      if (head.dataset.key === sort) head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    for (const box of metrics) {
      for (const part of table.querySelectorAll(`[data-metric="${CSS.escape(box.value)}"]`)) part.hidden = !box.checked;
    }
    if (metrics.length) table.style.setProperty("--m", metrics.filter((box) => box.checked).length); // fits the table on paper
    status.textContent = shown === lines.length ? `All ${shown} rows` : `${shown} of ${lines.length} rows`;
  };

  const write = () => {
    const state = new URLSearchParams();
    if (search.value) state.set("q", search.value);
    for (const filter of filters) if (filter.value) state.set(filter.name, filter.value);
    if (sort) state.set("sort", sort);
    if (descending) state.set("order", "descending");
    if (metrics.some((box) => box.checked !== box.defaultChecked)) {
      state.set("metrics", metrics.filter((box) => box.checked).map((box) => box.value).join("|"));
    }
    history.replaceState(null, "", `#${state}`);
  };

  const read = () => {
    const state = new URLSearchParams(location.hash.slice(1));
    search.value = state.get("q") ?? "";
    for (const filter of filters) {
      filter.value = state.get(filter.name) ?? "";
      if (filter.selectedIndex < 0) filter.value = "";
    }
    sort = column.has(state.get("sort")) ? state.get("sort") : "";
    descending = state.get("order") === "descending";
    const chosen = state.get("metrics")?.split("|");
    for (const box of metrics) box.checked = chosen ? chosen.includes(box.value) : box.defaultChecked;
    show();
  };

  for (const head of heads) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      // First click: numbers from best to worst, where best is highest unless the head has data-better=lower. Second
      // click: reversed. Third click: published order.
      const high = head.classList.contains("num") && head.dataset.better !== "lower";
      if (sort !== head.dataset.key) [sort, descending] = [head.dataset.key, high];
      else if (descending === high) descending = !high;
      else [sort, descending] = ["", false];
      show();
      write();
    });
  }
  // A table of few rows needs no search.
  for (const part of form.children) part.hidden = lines.length < 5 && part !== status && !part.contains(metrics[0] ?? null);
  form.hidden = lines.length < 5 && !metrics.length;
  form.addEventListener("input", () => { show(); write(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => {
    setTimeout(() => { [sort, descending] = ["", false]; show(); write(); });
  });
  addEventListener("hashchange", read);
  const first = table.tHead.rows[0];
  const place = () => table.style.setProperty("--first", `${first.getBoundingClientRect().height}px`);
  addEventListener("resize", place);
  read();
  place();
})();
