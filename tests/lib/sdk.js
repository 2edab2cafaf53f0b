// SPDX-License-Identifier: GPL-2.0-only
// Asks one of the clients of tests/lib/npm-clients for what it needs of the metadata service, with its defaults: node sdk.js
// PACKAGE. Says how long that took by its own clock, loading aside.
'use strict';
process.env.AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE = '1';
process.env.METADATA_SERVER_DETECTION = 'assume-present';
process.removeAllListeners('warning');
process.on('warning', () => {});
const name = process.argv[2];
const client = require(name);

function ask() {
	if (name.startsWith('aws-sdk-2'))
		return new Promise((resolve, reject) => {
			const credentials = new client.EC2MetadataCredentials();
			credentials.refresh((error) => (error ? reject(error) : resolve(credentials.accessKeyId)));
		});
	if (/credential-provider(-imds|s)$/.test(name))
		return client.fromInstanceMetadata()().then((c) => c.accessKeyId);
	if (name === 'gcp-metadata')
		return client.instance('id');
	if (name === 'google-auth-library')
		return new client.GoogleAuth({ scopes: 'https://www.googleapis.com/auth/cloud-platform' }).getAccessToken();
	return new client.ManagedIdentityCredential().getToken('https://management.azure.com/.default').then((t) => t.token);
}
const start = process.hrtime.bigint();
const tell = (got, error) => {
	console.log(JSON.stringify({ milliseconds: Number((process.hrtime.bigint() - start) / 1000000n), got: !!got, error }));
	process.exit(0);
};
ask().then((got) => tell(got, null), (error) => tell(null, String(error.message).slice(0, 200)));
