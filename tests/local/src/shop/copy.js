// The buttons that copy a curl line or an answer. Without scripts they are hidden, and the text can be selected.
const status = document.getElementById("copied");
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    status.textContent = "";
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    status.textContent = button.dataset.copied;
  });
}
