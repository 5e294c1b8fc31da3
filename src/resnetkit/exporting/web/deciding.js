// What the thresholds in classifier.json make of an answer: its status, and the classes in its set, best first; null
// where no sets are made. Logits are those of one view after the other.

// Best first; what is alike stays in the classes' order.
export const best = (probabilities, count) =>
  [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a] || a - b).slice(0, count);

export const decide = (probabilities, logits, { unknown, sure, sets, rounding }) => {
  const order = best(probabilities, probabilities.length);
  const isUnknown = unknown && familiarity(logits, probabilities.length) < Math.fround(unknown.below - rounding); // both as float32
  const isUnsure = sure && probabilities[order[0]] < Math.fround(sure.least - rounding);
  return { status: isUnknown ? "unknown" : isUnsure ? "unsure" : "ok", inSet: sets && setOf(probabilities, order, sets, rounding) };
};

// The negative energy, a mean over the views.
const familiarity = (logits, numClasses) => {
  let total = 0;
  for (let start = 0; start < logits.length; start += numClasses) {
    const view = logits.subarray(start, start + numClasses);
    const highest = Math.max(...view);
    total += highest + Math.log(view.reduce((sum, logit) => sum + Math.exp(logit - highest), 0));
  }
  return Math.fround(total / (logits.length / numClasses));
};

const setOf = (probabilities, order, { rule, most }, rounding) => {
  let before = 0; // the probability of all that are more probable
  return order.filter((index, rank) => {
    const strangeness = rule === "lac" ? 1 - probabilities[index] : before;
    before += probabilities[index];
    return rank === 0 || strangeness <= most + rounding;
  });
};
