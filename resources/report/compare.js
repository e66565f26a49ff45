// Two trainings side by side: their numbers, from the summary inside the page, and the figures that
// each of them has of its own. Texts are set as text, never as HTML.
(() => {
  const section = document.getElementById("compare");
  if (!section) return;
  const summary = JSON.parse(document.getElementById("summary-data").textContent);
  const form = section.querySelector("form");
  const table = document.getElementById("comparison");
  const pairs = document.getElementById("pairs");
  const symbols = { sigma_par: "σ(u∥)", sigma_perp: "σ(u⊥)", sigma_xy: "σ(pₓ, pᵧ)", sigma_met: "σ(|pTmiss|)" };
  const order = [...document.querySelectorAll(".overview tr[data-sample]")].map((row) => row.dataset.sample);
  const percent = (value) => (value == null ? "–" : (100 * value).toFixed(1).replace("-", "−"));
  const interval = (bounds) =>
    bounds == null || bounds.low == null ? "" : ` [${percent(bounds.low)}, ${percent(bounds.high)}]`;

  function cell(row, text, kind = "td", name = "n") {
    const made = document.createElement(kind);
    made.textContent = text;
    if (name) made.className = name;
    if (kind === "th") made.scope = "col";
    row.append(made);
    return made;
  }

  function numbers(training) {
    const found = new Map();
    for (const sample of summary.trainings[training] ?? []) {
      const name = ["calibrated", "deepmet"].find((one) => one in sample.estimators);
      if (!name || sample.variation !== "nominal") continue;
      const own = sample.estimators[name];
      for (const [quantity, plateau] of Object.entries(own.resolution)) {
        if (!(quantity in symbols)) continue;
        // as the other tables: corrected by the response of each event's own bin
        const values = sample.forms?.[quantity]?.own_response?.estimators[name] ?? plateau;
        found.set(`${sample.sample} ${quantity}`, {
          sample: sample.sample,
          label: sample.label,
          quantity,
          puppi: values.gain_over.puppi,
          pf: values.gain_over.pf,
          response: own.plateau_response?.value,
        });
      }
    }
    return found;
  }

  function fill() {
    const [left, right] = [form.elements.left.value, form.elements.right.value];
    const [one, two] = [numbers(left), numbers(right)];
    table.replaceChildren();
    const head = table.createTHead().insertRow();
    cell(head, "Sample", "th", "");
    cell(head, "Resolution", "th", "");
    for (const what of ["Gain over PUPPI [%]", "Gain over PF [%]", "Response"])
      for (const training of [left, right]) cell(head, `${what}, ${training}`, "th");
    const body = table.createTBody();
    const keys = [...new Set([...one.keys(), ...two.keys()])];
    const place = (key) => order.indexOf((one.get(key) ?? two.get(key)).sample);
    for (const key of keys.sort((a, b) => place(a) - place(b))) {
      const [a, b] = [one.get(key), two.get(key)];
      const row = body.insertRow();
      cell(row, (a ?? b).label, "th", "").scope = "row";
      cell(row, symbols[(a ?? b).quantity], "td", "symbol");
      for (const over of ["puppi", "pf"]) {
        const values = [a?.[over], b?.[over]];
        values.forEach((bounds, i) => {
          const made = cell(row, percent(bounds?.value));
          if (bounds?.value > values[1 - i]?.value) made.className = "n lead";
          const range = document.createElement("span");
          range.className = "range";
          range.textContent = interval(bounds);
          made.append(range);
        });
      }
      for (const side of [a, b]) cell(row, side?.response == null ? "–" : side.response.toFixed(3));
    }
    side_by_side(left, right);
  }

  // figures are copied only when they are looked at: they are large
  function side_by_side(left, right) {
    pairs.replaceChildren();
    if (!pairs.closest("details").open) return;
    const of = (training) =>
      new Map(
        [...document.querySelectorAll("section.drawn figure[data-pair]")]
          .filter((figure) => figure.dataset.pair && figure.dataset.training === training)
          .map((figure) => [figure.dataset.pair, figure]),
      );
    const other = of(right);
    for (const [pair, figure] of of(left)) {
      if (!other.has(pair)) continue;
      const box = document.createElement("div");
      box.className = "pair";
      for (const one of [figure, other.get(pair)]) {
        const copy = document.createElement("figure");
        const image = document.createElement("img");
        const about = document.createElement("figcaption");
        const source = one.querySelector("img");
        image.src = source.src;
        image.alt = source.alt;
        image.width = source.width;
        image.height = source.height;
        about.textContent = one.querySelector("figcaption .text").textContent;
        copy.append(image, about);
        box.append(copy);
      }
      pairs.append(box);
    }
    if (!pairs.children.length) pairs.textContent = "These two have no figures of the same kind.";
  }

  form.addEventListener("change", fill);
  form.addEventListener("submit", (event) => event.preventDefault());
  pairs.closest("details").addEventListener("toggle", fill);
  fill();
})();
