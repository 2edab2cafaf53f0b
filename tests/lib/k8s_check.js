// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads Kubernetes manifests (YAML, one or many documents) from standard input and checks each object against the API's
 * schema, strictly: a field that the schema does not know is an error, as with `kubectl --validate=strict`.
 * Prints them as one JSON array, for jq; errors go to standard error, exit code 1.
 *
 *	node k8s_check.js FOLDER-WITH-NODE_MODULES <manifests.yaml
 */
'use strict';
const fs = require('fs');
const path = require('path');
const load = require('module').createRequire(path.resolve(process.argv[2], 'x.js'));
const yaml = load('yaml');
const packages = { 'monitoring.coreos.com': '@kubernetes-models/prometheus-operator' };
let failed = false;

function complain(text) {
	console.error(text);
	failed = true;
}

function model(object) {
	const group = object.apiVersion.includes('/') ? object.apiVersion.split('/')[0] : '';

	return load(`${packages[group] || 'kubernetes-models'}/${object.apiVersion}/${object.kind}`)[object.kind];
}

/*
 * The schemas are compiled to code that reads exactly the fields that it knows, and all keys of a free-form map: what
 * nobody has read is unknown.
 */
function watch(value, seen, at) {
	if (value === null || typeof value !== 'object')
		return value;
	return new Proxy(value, {
		get(target, key) {
			if (typeof key !== 'string' || !Object.prototype.hasOwnProperty.call(target, key))
				return target[key];
			seen.add(`${at}/${key}`);
			return watch(target[key], seen, `${at}/${key}`);
		},
	});
}

function unread(value, seen, at, found) {
	if (value === null || typeof value !== 'object')
		return found;
	for (const key of Object.keys(value)) {
		if (seen.has(`${at}/${key}`))
			unread(value[key], seen, `${at}/${key}`, found);
		else
			found.push(`${at}/${key}`);
	}
	return found;
}

function check(object, index) {
	const name = `${object.kind || 'object'} ${object.metadata ? object.metadata.name : `number ${index + 1}`}`;
	const seen = new Set();
	const Model = model(object);
	const subject = new Model(object);

	try {
		// the schema behind the model, called with our watched copy
		Object.getPrototypeOf(subject).validate.call(watch(object, seen, ''));
	} catch (e) {
		complain(`${name}: ${e.message}`);
		return;
	}
	for (const field of unread(object, seen, '', []))
		complain(`${name}: unknown field ${field}`);
}

const objects = yaml.parseAllDocuments(fs.readFileSync(0, 'utf8')).map((doc, i) => {
	for (const e of doc.errors)
		complain(`document ${i + 1}: ${e.message}`);
	return doc.errors.length ? null : doc.toJS();
}).filter((o) => o !== null);

objects.forEach((object, i) => {
	try {
		check(object, i);
	} catch (e) {
		complain(`object ${i + 1}: ${e.message}`);
	}
});
process.stdout.write(`${JSON.stringify(objects)}\n`);
process.exitCode = failed ? 1 : 0;
