// SPDX-License-Identifier: GPL-2.0-only
/*
 * As much of a Kubernetes API server as `kubectl imdsnoop` meets when agents run: discovery, lists of pods and nodes, and the
 * proxy to a pod. The pods are those of POD-FILE, a JSON array of {namespace, name, node, labels, report}; a pod with a report (a
 * file) answers /api/v1/report. Writes its address to ADDRESS-FILE and each request to standard output.
 *
 *	node fake_api.js POD-FILE ADDRESS-FILE
 */
'use strict';
const fs = require('fs');
const http = require('http');
const all = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const resource = (name, kind, namespaced) => ({ name, singularName: '', namespaced, kind, verbs: ['get', 'list'] });

function podObject(p) {
	return { apiVersion: 'v1', kind: 'Pod', metadata: { name: p.name, namespace: p.namespace, labels: p.labels },
		spec: { nodeName: p.node, containers: [] }, status: { phase: 'Running' } };
}

function selected(pods, selector) {
	const wanted = (selector || '').split(',').filter(Boolean).map((s) => s.split(/==?/));

	return pods.filter((p) => wanted.every(([key, value]) => p.labels[key] === value));
}

function answer(url) {
	const list = (pods) => ({ apiVersion: 'v1', kind: 'PodList', metadata: {}, items: pods.map(podObject) });
	let m;

	switch (url.pathname) {
	case '/api': return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
	case '/apis': return { kind: 'APIGroupList', apiVersion: 'v1', groups: [] };
	case '/api/v1': return { kind: 'APIResourceList', groupVersion: 'v1', resources: [resource('pods', 'Pod', true), resource('nodes', 'Node', false)] };
	case '/api/v1/pods': return list(selected(all, url.searchParams.get('labelSelector')));
	}
	if ((m = url.pathname.match(/^\/api\/v1\/namespaces\/([^/]+)\/pods$/)))
		return list(selected(all.filter((p) => p.namespace === m[1]), url.searchParams.get('labelSelector')));
	if ((m = url.pathname.match(/^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/:]+)$/)))
		return all.filter((p) => p.namespace === m[1] && p.name === m[2]).map(podObject)[0];
	if ((m = url.pathname.match(/^\/api\/v1\/namespaces\/([^/]+)\/pods\/http:([^/:]+):9754\/proxy\/api\/v1\/report$/))) {
		const p = all.find((q) => q.namespace === m[1] && q.name === m[2] && q.report);

		return p && JSON.parse(fs.readFileSync(p.report, 'utf8'));
	}
	return undefined;
}

const server = http.createServer((req, res) => {
	const found = req.method === 'GET' ? answer(new URL(req.url, 'http://x')) : undefined;

	console.log(req.method, req.url, found ? 200 : 404);
	res.writeHead(found ? 200 : 404, { 'Content-Type': 'application/json' });
	res.end(JSON.stringify(found || { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'NotFound', code: 404, message: 'not found' }));
});
server.listen(0, '127.0.0.1', () => fs.writeFileSync(process.argv[3], `http://127.0.0.1:${server.address().port}\n`));
