"use strict";
// What is hidden without this script works only with it; nothing else on the page needs it.
for (const part of document.querySelectorAll("[data-scripted]")) part.hidden = false;

for (const button of document.querySelectorAll("button[data-copies]")) {
  const text = document.getElementById(button.dataset.copies);
  const told = button.nextElementSibling;
  button.addEventListener("click", async () => {
    told.textContent = "";
    try {
      await navigator.clipboard.writeText(text.textContent);
      told.textContent = "Copied.";
    } catch {
      // The clipboard is refused, or the browser has none for a file: what is selected can be copied by hand.
      text.closest("details").open = true;
      getSelection().selectAllChildren(text);
      told.textContent = "Selected: press Ctrl+C, or ⌘C on a Mac.";
    }
  });
}

const filter = document.getElementById("filter");
if (filter) {
  const groups = [...document.querySelectorAll("#claims tbody")];
  const rows = groups.flatMap((group) => [...group.querySelectorAll("tr[data-verdict]")]);
  const told = document.getElementById("shown");
  const asked = (name) => filter.elements[name].value;
  const show = () => {
    for (const row of rows) {
      const verdict = !asked("verdict") || row.dataset.verdict === asked("verdict");
      const paper = !asked("paper") || row.dataset.papers.split(" ").includes(asked("paper"));
      row.hidden = !(verdict && paper);
    }
    for (const group of groups) group.hidden = rows.every((row) => row.hidden || row.parentElement !== group);
    told.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} claims are shown.`;
  };
  filter.addEventListener("change", show);
  filter.addEventListener("reset", () => setTimeout(show));
  filter.addEventListener("submit", (event) => event.preventDefault());
}
