// All that the page says, in its two languages; what stands in a sentence is a function's argument.

const megabytes = (bytes) => Math.ceil(bytes / 2 ** 20);

const ENGLISH = {
  language: "中文",
  number: "en",
  about: ({ classes, size }) => `Tells ${classes} classes apart, in this browser. It looks at ${size} × ${size} pixels of each image.`,
  loading: ({ length, total }) =>
    total ? `Loading the network: ${megabytes(length)} of ${megabytes(total)} MB` : `Loading the network: ${megabytes(length)} MB`,
  preparing: () => "Preparing the network",
  notLoaded: ({ reason }) => `The network could not be loaded: ${reason}`,
  images: () => "Images",
  choose: () => "Choose images",
  openCamera: () => "Camera",
  closeCamera: () => "Close camera",
  shoot: () => "Take a photo",
  live: () => "Live",
  orDrop: () => "or drop them anywhere on this page, or paste one",
  private: () => "Nothing is uploaded: images stay on this device, and the page is held to that by a rule the browser enforces.",
  answers: () => "Answers",
  top: () => "Classes shown",
  clear: () => "Remove all",
  status: ({ done, all }) => (done < all ? `${done} of ${all} images` : all === 1 ? "1 image, done" : `${all} images, done`),
  waiting: () => "waiting …",
  unknown: () => "Unknown: it is like none of the classes that this classifier knows.",
  unsure: () => "Unsure: no class is probable enough to be named.",
  set: ({ names }) => `${names.length === 1 ? "Possible class" : "Possible classes"}: ${names.join(", ")}`,
  thresholdUnknown: ({ share }) => `An image that is like none of the classes is unknown; ${share} of images of the classes may be called so.`,
  thresholdUnsure: ({ least, share }) => `An answer that is less than ${least} probable is unsure; of the others ${share} are to be right.`,
  thresholdSets: ({ share }) => `Each image has a set of possible classes, which is to hold the true one for ${share} of images.`,
  fine: ({ width, height, milliseconds, threads }) =>
    `${width} × ${height} px · ${milliseconds} ms on ${threads} ${threads === 1 ? "thread" : "threads"}`,
  speed: ({ runtime, threads }) =>
    threads === 1
      ? `ONNX Runtime Web ${runtime} on 1 thread. More need the two headers that serve.py sends.`
      : `ONNX Runtime Web ${runtime} on ${threads} threads.`,
  pasted: () => "pasted image",
  photo: ({ number }) => `photo ${number}`,
  noCamera: ({ reason }) => `The camera could not be opened: ${reason}`,
  insecure: () => "browsers allow it only on https:// addresses and on localhost",
  empty: () => "The file is empty.",
  unreadable: () => "This browser cannot read the file as an image: it is damaged, or of a kind that the browser does not know. A JPEG or PNG of it will do.",
  largeFile: ({ limit }) => `The file is larger than ${megabytes(limit)} MB, the limit of this classifier.`,
  manyPixels: ({ width, height, limit }) =>
    `The image has ${width} × ${height} pixels, more than the ${limit.toLocaleString("en")} that this classifier takes.`,
  deepGrey: () => "This is a grey image of 16 bits, whose values a browser cannot read as this classifier needs them. predict of resnetkit can.",
  darkDeepColour: () => "The image has colours of 16 bits that are all next to black: store it with 8 bits, or scaled to 16.",
  failed: ({ reason }) => `The network failed on this image: ${reason}`,
};

const CHINESE = {
  language: "English",
  number: "zh-CN",
  about: ({ classes, size }) => `在本浏览器中区分 ${classes} 个类别。每张图片取 ${size} × ${size} 像素。`,
  loading: ({ length, total }) =>
    total ? `正在加载网络：${megabytes(length)} / ${megabytes(total)} MB` : `正在加载网络：${megabytes(length)} MB`,
  preparing: () => "正在准备网络",
  notLoaded: ({ reason }) => `无法加载网络：${reason}`,
  images: () => "图片",
  choose: () => "选择图片",
  openCamera: () => "摄像头",
  closeCamera: () => "关闭摄像头",
  shoot: () => "拍照",
  live: () => "实时",
  orDrop: () => "也可以把图片拖到页面任意位置，或粘贴一张",
  private: () => "不会上传任何内容：图片只留在本设备上，浏览器会强制执行这一规则。",
  answers: () => "结果",
  top: () => "显示类别数",
  clear: () => "全部移除",
  status: ({ done, all }) => (done < all ? `已完成 ${done} / ${all} 张图片` : `${all} 张图片，已完成`),
  waiting: () => "等待中 …",
  unknown: () => "未知：不像该分类器认识的任何类别。",
  unsure: () => "不确定：没有概率足够高、可以给出的类别。",
  set: ({ names }) => `可能的类别：${names.join("、")}`,
  thresholdUnknown: ({ share }) => `不像任何已知类别的图片为未知；已知类别的图片中可有 ${share} 被称为未知。`,
  thresholdUnsure: ({ least, share }) => `概率低于 ${least} 的回答为不确定；其余回答中应有 ${share} 正确。`,
  thresholdSets: ({ share }) => `每张图片有一个可能类别的集合，${share} 的图片的集合应包含真实类别。`,
  fine: ({ width, height, milliseconds, threads }) => `${width} × ${height} 像素 · ${milliseconds} 毫秒，${threads} 个线程`,
  speed: ({ runtime, threads }) =>
    threads === 1
      ? `ONNX Runtime Web ${runtime}，1 个线程。使用多个线程需要 serve.py 发送的两个响应头。`
      : `ONNX Runtime Web ${runtime}，${threads} 个线程。`,
  pasted: () => "粘贴的图片",
  photo: ({ number }) => `照片 ${number}`,
  noCamera: ({ reason }) => `无法打开摄像头：${reason}`,
  insecure: () => "浏览器只允许在 https:// 地址和 localhost 上使用",
  empty: () => "文件是空的。",
  unreadable: () => "浏览器无法将此文件读作图片：文件已损坏，或浏览器不支持这种格式。请换成 JPEG 或 PNG。",
  largeFile: ({ limit }) => `文件超过 ${megabytes(limit)} MB，这是该分类器的上限。`,
  manyPixels: ({ width, height, limit }) =>
    `图片有 ${width} × ${height} 像素，超过该分类器的上限 ${limit.toLocaleString("zh-CN")}。`,
  deepGrey: () => "这是 16 位灰度图片，浏览器无法按该分类器的要求读取其数值。resnetkit 的 predict 可以。",
  darkDeepColour: () => "图片的 16 位颜色几乎全为黑色：请存为 8 位，或放大到 16 位。",
  failed: ({ reason }) => `网络处理此图片时出错：${reason}`,
};

const LANGUAGES = { en: ENGLISH, zh: CHINESE };
const KEPT_AS = "resnetkit language";

const kept = () => {
  try {
    return localStorage.getItem(KEPT_AS);
  } catch {
    return null; // where storage is forbidden, the browser's language decides each time
  }
};

const preferred = () =>
  (navigator.languages ?? []).map((language) => language.slice(0, 2).toLowerCase()).find((language) => language in LANGUAGES);

let language = kept() in LANGUAGES ? kept() : (preferred() ?? "en");

// A sentence in the page's language.
export const words = (key, values = {}) => LANGUAGES[language][key](values);

// A share as percent, never rounded to certainty or to nothing.
export const percent = (share, digits = 1) => {
  const least = 10 ** -digits;
  const text = (100 * share).toFixed(digits);
  if (share > 0 && Number(text) === 0) return `<\u00a0${least.toFixed(digits)}\u00a0%`;
  return share < 1 && Number(text) >= 100 ? `>\u00a0${(100 - least).toFixed(digits)}\u00a0%` : `${text}\u00a0%`;
};

// A share that was set as percent, with all the digits that it was set with: 5 %, 99.95 %.
export const setPercent = (share) => `${Number((100 * share).toPrecision(12))}\u00a0%`;

// Writes a sentence that changes with the language: into `element` now, and again whenever the language is switched.
export const write = (element, key, values = {}) => {
  element.sentence = { key, values };
  element.textContent = words(key, values);
  element.dataset.words = key;
};

export const writeAll = () => {
  document.documentElement.lang = LANGUAGES[language].number;
  document.getElementById("language").textContent = LANGUAGES[language].language;
  document.getElementById("language").lang = language === "en" ? "zh-CN" : "en";
  for (const element of document.querySelectorAll("[data-words]"))
    element.textContent = words(element.dataset.words, element.sentence?.values);
};

export const switchLanguage = () => {
  language = language === "en" ? "zh" : "en";
  try {
    localStorage.setItem(KEPT_AS, language);
  } catch {
    // as above
  }
  writeAll();
};
