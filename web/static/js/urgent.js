// @ts-check
/**
 * @file The page of who is in danger asks every few seconds whether somebody has answered, shows what changed and
 * leads into the room. A line that broke is said, and tried again.
 */

const EVERY_MS = 3000;

const page = document.getElementById("urgent");
const lost = document.getElementById("lost");

if (page && lost) {
  let going = false;

  const ask = async () => {
    if (going) return;
    try {
      const answer = await fetch("/talk/urgent/state", { headers: { Accept: "application/json" }, cache: "no-store" });
      if (!answer.ok) throw new Error(String(answer.status));
      const { version, go } = await answer.json();
      lost.hidden = true;
      if (going) return;
      if (go) {
        going = true;
        location.replace(go);
      } else if (version !== page.dataset.version) {
        going = true;
        location.reload();
      }
    } catch {
      lost.hidden = false;
    }
  };

  setInterval(ask, EVERY_MS);
  document.addEventListener("visibilitychange", () => document.hidden || ask());
  addEventListener("online", ask);
  document.addEventListener("teduh:exit", () => {
    going = true;
  });
}
