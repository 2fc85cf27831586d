// A button that prints the page: shown only where there is script to do it.

for (const button of document.querySelectorAll("[data-action=print]")) {
  if (!(button instanceof HTMLButtonElement)) continue;
  button.hidden = false;
  button.addEventListener("click", () => print());
}
