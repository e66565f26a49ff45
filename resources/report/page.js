"use strict";
// The page reads without this script: it adds the filter over the figures and the large view.
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
    for (const box of document.querySelectorAll("details.forms, details.sample")) {
      const any = box.querySelector("figure:not([hidden])") !== null;
      box.hidden = narrowed && !any;
      if (box.classList.contains("forms")) box.open = narrowed && any;
    }
    filter.querySelector("output").textContent = `${shown().length} of ${figures.length} figures`;
  }

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
    const [png, csv] = dialog.querySelectorAll("a");
    png.href = image.src;
    png.download = `${figure.id}.png`;
    csv.href = figure.querySelector("figcaption a[download]").href;
    csv.download = `${figure.id}.csv`;
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
