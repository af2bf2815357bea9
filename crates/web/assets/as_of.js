// The slider says the day that it stands at while it moves. Without this script the button asks the server for it all the same.

const DAY = 86_400_000;

for (const form of document.querySelectorAll("[data-as-of]")) {
  const range = form.querySelector("input[type=range]");
  const shown = form.querySelector("output");
  range.addEventListener("input", () => {
    const day = new Date(Number(range.value) * DAY).toISOString().slice(0, 10);
    shown.textContent = day;
    range.setAttribute("aria-valuetext", day);
  });
}
