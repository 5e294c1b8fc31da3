// Gives the page's own network the images that the server has, one after the other, and tells the server the answers.

const tell = (message) => fetch("told", { method: "POST", body: JSON.stringify(message) });

const number = Number(new URLSearchParams(location.search).get("images"));
try {
  const { open } = await import("../page/network.js");
  const network = await open(() => {});
  await tell({ kind: "ready", threads: network.threads, runtime: network.runtime, browser: navigator.userAgent });
  for (let index = 0; index < number; index++) {
    const file = await (await fetch(`images/${index}`)).blob();
    try {
      const { probabilities, logits, status, inSet, milliseconds } = await network.classify(file);
      const numbers = { probabilities: [...probabilities], logits: [...logits], milliseconds };
      await tell({ kind: "answer", index, ...numbers, status, inSet });
    } catch (refused) {
      await tell({ kind: "refused", index, code: refused.code, reason: refused.values.reason ?? "" });
    }
  }
  await tell({ kind: "done" });
} catch (error) {
  await tell({ kind: "failed", reason: String(error?.message ?? error) });
}
