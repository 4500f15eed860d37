// What a page must not have, as the browser sees it: an expression whose value is
// a list of faults.
(() => {
	const faults = [];
	const rgb = c => (c.match(/[\d.]+/g) || []).map(Number);
	const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
	const ground = new Map(), seen = new Set();
	const behind = e => {
		if (!e) return [255, 255, 255];
		if (!ground.has(e)) { const c = rgb(getComputedStyle(e).backgroundColor);
			ground.set(e, c.length && c[3] !== 0 ? c : behind(e.parentElement)); }
		return ground.get(e);
	};
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walk.nextNode()) {
		const e = walk.currentNode.parentElement;
		if (!walk.currentNode.data.trim() || e.closest('style,.hidden') || seen.has(e)) continue;
		seen.add(e);
		const svg = e instanceof SVGElement, style = getComputedStyle(e), box = svg && e.parentElement.querySelector('rect,circle');
		const a = light(rgb(svg ? style.fill : style.color));
		const b = light(box && !e.matches('.word') ? rgb(getComputedStyle(box).fill) : behind(svg ? e.closest('div') : e));
		const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
		if (ratio < 4.5) faults.push('contrast ' + ratio.toFixed(2) + ' of ' + e.tagName + '.' + e.getAttribute('class') + ' ' + walk.currentNode.data.slice(0, 40));
	}
	let level = 0;
	for (const h of document.querySelectorAll('h1,h2,h3,h4,h5,h6')) {
		const n = Number(h.tagName[1]);
		if (n > level + 1) faults.push('heading ' + h.textContent + ' after level ' + level);
		level = n;
	}
	if (document.querySelectorAll('h1').length !== 1) faults.push('not one h1');
	for (const th of document.querySelectorAll('th:not([scope])')) faults.push('header without scope: ' + th.textContent);
	const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
	for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push('id twice: ' + id);
	for (const e of document.querySelectorAll('[aria-labelledby]')) if (!document.getElementById(e.getAttribute('aria-labelledby'))) faults.push('no label for ' + e.tagName);
	for (const e of document.querySelectorAll('script,iframe,object,embed,form,img,[style],[onclick],[onerror]')) faults.push('element ' + e.outerHTML.slice(0, 80));
	for (const a of document.querySelectorAll('a')) if (!a.href.startsWith('https://')) faults.push('link to ' + a.href);
	for (const e of document.querySelectorAll('main *')) {
		const box = e.getBoundingClientRect();
		if (box.right > innerWidth + 1 && !e.closest('.scroll') && !e.closest('.hidden')) { faults.push('too wide: ' + e.tagName + '.' + e.getAttribute('class')); break; }
	}
	if (document.documentElement.scrollWidth > innerWidth) faults.push('scrolls sideways: ' + document.documentElement.scrollWidth);
	for (const t of document.querySelectorAll('svg.road text')) {
		const box = t.parentElement.querySelector('rect');
		if (box && t.checkVisibility() && t.getBoundingClientRect().right > box.getBoundingClientRect().right) faults.push('text leaves its box: ' + t.textContent);
	}
	return faults;
})()
