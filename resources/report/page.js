"use strict";
// The page reads without this script: it adds the filter over the figures, the large view, the choice
// of a training and of light or dark.
(() => {
  const figures = [...document.querySelectorAll("figure[data-words]")];
  const filter = document.querySelector(".filter");
  const shown = () => figures.filter((figure) => !figure.hidden);

  function choose() {
    const words = filter.querySelector("input").value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = [...filter.querySelectorAll("select")].map((s) => [s.name, s.value]);
    for (const figure of figures) {
      figure.hidden =
        wanted.some(([key, value]) => value && figure.dataset[key] !== value) ||
        words.some((word) => !figure.dataset.words.includes(word));
    }
    const narrowed = words.length > 0 || wanted.some(([, value]) => value);
    for (const box of document.querySelectorAll("details.forms, details.sample, section.drawn")) {
      const any = box.querySelector("figure:not([hidden])") !== null;
      box.hidden = narrowed && !any;
      if (box.classList.contains("forms")) box.open = narrowed && any;
    }
    filter.querySelector("output").textContent = `${shown().length} of ${figures.length} figures`;
  }

  for (const part of document.querySelectorAll(".scripted")) part.hidden = false;

  if (filter && figures.length) {
    filter.hidden = false;
    filter.addEventListener("input", choose);
    filter.addEventListener("submit", (event) => event.preventDefault());
    filter.addEventListener("reset", () => setTimeout(choose));
    choose();
  }

  const dialog = document.querySelector("dialog");
  let at = null;
  function show(figure) {
    at = figure;
    const image = figure.querySelector("img");
    const large = dialog.querySelector("img");
    large.src = image.src;
    large.alt = image.alt;
    dialog.querySelector("p").textContent = figure.querySelector("figcaption .text").textContent;
    const [png, pdf, csv] = dialog.querySelectorAll("a");
    const files = figure.querySelectorAll("figcaption a[download]");
    png.href = image.src;
    png.download = `${figure.id}.png`;
    pdf.href = files[0].href;
    pdf.download = files[0].download;
    csv.href = files[1].href;
    csv.download = files[1].download;
    if (!dialog.open) dialog.showModal();
  }
  function step(by) {
    const list = shown();
    const next = list[(list.indexOf(at) + by + list.length) % list.length];
    if (next) show(next);
  }
  for (const figure of figures) {
    const image = figure.querySelector("img");
    image.tabIndex = 0;
    image.setAttribute("role", "button");
    image.setAttribute("aria-label", `Enlarge: ${image.alt}`);
    image.addEventListener("click", () => show(figure));
    image.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      show(figure);
    });
  }
  if (dialog) {
    const [back, on, close] = dialog.querySelectorAll("button");
    back.addEventListener("click", () => step(-1));
    on.addEventListener("click", () => step(1));
    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "ArrowLeft") step(-1);
      if (event.key === "ArrowRight") step(1);
    });
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close();
    });
    dialog.addEventListener("close", () => at && at.querySelector("img").focus());
  }

  const choice = document.getElementById("chosen-training");
  function choose_training() {
    for (const table of document.querySelectorAll(".overview")) {
      table.hidden = table.dataset.table !== choice.value;
      table.querySelector("h3").hidden = true;
    }
  }
  if (choice) {
    choice.addEventListener("change", choose_training);
    choose_training();
  }

  const theme = document.getElementById("theme");
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  function name_theme() {
    theme.textContent = dark() ? "Light" : "Dark";
    theme.setAttribute("aria-pressed", String(dark()));
  }
  theme.addEventListener("click", () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    name_theme();
  });
  system.addEventListener("change", name_theme);
  name_theme();

  const links = new Map([...document.querySelectorAll("nav a")].map((a) => [a.hash.slice(1), a]));
  if ("IntersectionObserver" in window) {
    const seen = new IntersectionObserver(
      (entries) => {
        for (const entry of entries) {
          if (!entry.isIntersecting) continue;
          for (const link of links.values()) link.removeAttribute("aria-current");
          links.get(entry.target.id)?.setAttribute("aria-current", "true");
        }
      },
      { rootMargin: "0px 0px -75% 0px" },
    );
    for (const id of links.keys()) {
      const target = document.getElementById(id);
      if (target) seen.observe(target);
    }
  }
})();
