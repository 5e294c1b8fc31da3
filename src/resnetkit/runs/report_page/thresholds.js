/** Only answers that are sure enough: how many images get one, and how many of these are right. */

const Z = 1.959964; // 97.5 % of a normal distribution lie below

/** The Wilson interval of a share, as percentages. */
function interval(right, all) {
  const share = right / all;
  const scale = 1 + (Z * Z) / all;
  const centre = share + (Z * Z) / (2 * all);
  const half = Z * Math.sqrt((share * (1 - share)) / all + (Z * Z) / (4 * all * all));
  const ends = [right ? (centre - half) / scale : 0, right < all ? (centre + half) / scale : 1];
  return ends.map((end) => percentDigits(end, 2)).join(" to ");
}

function followThreshold({ kept, right, num_images: all }) {
  const slider = byId("threshold");
  const show = () => {
    const step = Number(slider.value);
    const from = percent(step / 1000);
    byId("threshold-number").textContent = from;
    slider.setAttribute("aria-valuetext", from);
    byId("threshold-said").textContent = kept[step]
      ? `${count(kept[step])} of ${images(all)} answered (${percent(kept[step] / all)}), ${count(right[step])} of them right: ` +
        `${percent(right[step] / kept[step], 2)} (95 % interval ${interval(right[step], kept[step])})`
      : `None of ${images(all)} is answered.`;
  };
  slider.addEventListener("input", show);
  show();
}

if (DATA.thresholds?.kept[0]) followThreshold(DATA.thresholds);
