/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The status page of a running `imdsnoop serve` in a headless Chromium. Usage: page.js URL [FOLDER FOR SCREENSHOTS].
 * Prints "ok NAME" and "not ok NAME", one a line. Reads commands' effects through files and signals nobody: what must
 * happen on the node while the page is open is run by the shell command in PAGE_MORE.
 */
"use strict";
const { chromium } = require("playwright-core");
const { execSync } = require("child_process");

const [url, shots] = process.argv.slice(2);
const EVIL = "<img src=x>";
const ARGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
	      "--disable-component-update", "--disable-sync"];
let failures = 0;

function check(name, good, got) {
	console.log((good ? "ok " : "not ok ") + "page: " + name);
	if (!good) {
		failures++;
		console.log("    # got " + JSON.stringify(got));
	}
}

async function open(browser, options, troubles) {
	const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
	const page = await context.newPage();
	page.on("console", (m) => ["error", "warning"].includes(m.type()) && troubles.push(m.text()));
	page.on("pageerror", (e) => troubles.push(String(e)));
	page.on("request", (r) => new URL(r.url()).origin === url || troubles.push("asked " + r.url()));
	page.on("dialog", (d) => { troubles.push("dialog " + d.message()); d.dismiss(); });
	await page.goto(url + "/");
	await page.waitForSelector(".pod");
	return page;
}

const names = (page) => page.locator(".pod .name b").allTextContents();
const row = (page, name) => page.locator(".pod > button", { hasText: name });

/* page.waitForFunction() evaluates strings in the page, which its Content-Security-Policy forbids. */
async function until(page, fn, arg) {
	for (const end = Date.now() + 8000; Date.now() < end; await page.waitForTimeout(100))
		if (await page.evaluate(fn, arg))
			return true;
	return false;
}

async function renders(page) {
	const headline = await page.textContent("#headline");
	check("says first what is wrong", /gets? no metadata token/.test(headline), headline);
	check("as an error", /\berror\b/.test(await page.getAttribute("#verdict", "class")));
	const all = await names(page);
	check("pods, those without a token first", all.length === 4 && all.slice(0, 2).sort().join() === [EVIL, "web-1"].join(), all);
	check("a picture of each pod's latency", await page.locator(".pod svg.spark rect").count() >= 4);
	check("features are listed", (await page.locator("#features li").count()) > 8);
	check("nothing was lost", (await page.textContent("#losses")) === "Nothing was lost.");
	check("a pod's name is text, not markup", await page.locator("img").count() === 0 && all.includes(EVIL), all);
}

async function filters(page) {
	await page.fill("#search", "WEB shop");
	check("search by words", (await names(page)).join() === "web-1", await names(page));
	await page.fill("#search", "no such pod");
	check("search without a match says so", await page.isVisible("#empty") && (await names(page)).length === 0);
	await page.fill("#search", "");
	await page.selectOption("#namespace", "kube-system");
	check("namespace", (await names(page)).join() === "agent-1", await names(page));
	await page.selectOption("#namespace", "");
	await page.check("#problems");
	check("problems only", (await names(page)).sort().join() === [EVIL, "web-1"].join(), await names(page));
	await page.uncheck("#problems");
	check("all again", (await names(page)).length === 4);
	await page.selectOption("#since", "5m");
	check("window is asked of the agent", await until(page, () => /last/.test(document.getElementById("facts").textContent)));
	await page.selectOption("#since", "");
	await until(page, () => /watching/.test(document.getElementById("facts").textContent));
}

async function opensByKeyboard(page) {
	await page.evaluate(() => document.activeElement.blur());
	await page.keyboard.press("/");
	check("/ goes to the search", await page.evaluate(() => document.activeElement.id === "search"));
	await page.fill("#search", "web");
	for (let i = 0; i < 4; i++)		/* namespace, time, problems, the first row */
		await page.keyboard.press("Tab");
	await page.keyboard.press("Enter");
	const button = row(page, "web-1"), detail = page.locator(".pod.open .detail");
	check("a pod opens by keyboard alone", await button.getAttribute("aria-expanded") === "true");
	await page.fill("#search", "");
	const way = (await detail.locator(".way").innerText()).replace(/\s+/g, " ");
	check("path of the packet: TTL, where it died", /IMDS.*TTL 1.*node.*dies in ip_forward.*pod/.test(way), way);
	check("the row tells the cause", /hop limit/.test(await button.locator(".name small").innerText()));
	check("histogram with counts", await detail.locator("svg.chart rect").count() > 0);
	check("advice to copy", /hop-limit 2/.test(await detail.locator(".copy code").first().textContent()));
	await detail.locator(".copy button").first().click();
	check("copies", await until(page, () => document.querySelector(".pod.open .copy button").textContent === "Copied"));
}

async function updates(page) {
	const button = row(page, "web-1"), before = await button.locator(".n").first().innerText();
	const marks = await page.evaluate(() => {
		const word = document.querySelector(".pod.open .name b").firstChild;
		const pods = document.querySelectorAll(".pod"), focused = document.querySelector(".pod.open > button");
		pods.forEach((p, i) => { p.dataset.before = i; });
		focused.focus();
		getSelection().setBaseAndExtent(word, 0, word, 3);
		window.scrollTo(0, 200);
		return pods.length;
	});
	execSync(process.env.PAGE_MORE, { stdio: "ignore" });
	check("figures go on while text is marked", await until(page, (was) =>
		document.querySelector(".pod.open .n").innerText !== was, before));
	check("rows are the same elements", await page.locator(".pod[data-before]").count() === marks);
	check("the marked text stays", await page.evaluate(() => getSelection().toString()) === "web");
	check("the open pod stays open, with the focus", await page.evaluate(() =>
		document.activeElement === document.querySelector(".pod.open > button")));
	check("the page does not jump", await page.evaluate(() => window.scrollY) === 200, await page.evaluate(() => window.scrollY));
	await page.click("#live");
	check("pause", await page.getAttribute("#live", "aria-pressed") === "false");
	await page.click("#live");
}

async function fits(browser, troubles) {
	const views = [["phone", 390, "light"], ["phone-dark", 390, "dark"], ["desk", 1280, "light"], ["desk-dark", 1280, "dark"]];
	for (const [name, width, colorScheme] of views) {
		const page = await open(browser, { viewport: { width, height: 844 }, colorScheme }, troubles);
		await row(page, "web-1").click();
		await page.waitForSelector(".pod.open .way");
		const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
		check(name + ": nothing is wider than the window", wide <= 0, wide);
		const luminance = await page.evaluate(() => {
			const of = (c) => c.match(/\d+/g).slice(0, 3).reduce((a, b) => a + Number(b), 0) / 3;
			const style = getComputedStyle(document.documentElement);
			return [of(style.backgroundColor), of(style.color)];
		});
		check(name + ": colours of the scheme", colorScheme === "dark" ? luminance[0] < 60 && luminance[1] > 190 :
			luminance[0] > 230 && luminance[1] < 60, luminance);
		if (shots)
			await page.screenshot({ path: shots + "/" + name + ".png", fullPage: true });
		await page.context().close();
	}
}

(async () => {
	const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ARGS });
	const troubles = [];
	try {
		const page = await open(browser, { colorScheme: "light", permissions: ["clipboard-write"] }, troubles);
		await renders(page);
		await filters(page);
		await opensByKeyboard(page);
		await updates(page);
		await fits(browser, troubles);
		check("no error, no warning, no request elsewhere", troubles.length === 0, troubles);
	} catch (error) {
		check("runs to its end", false, String(error));
	}
	await browser.close();
	process.exit(failures ? 1 : 0);
})();
