// SPDX-License-Identifier: GPL-2.0-only
// Asks the AWS SDK for JavaScript v2 for the instance's credentials, as any program in a pod does, and says how long it took.
'use strict';
process.env.AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE = '1';
const AWS = require('aws-sdk');
const credentials = new AWS.EC2MetadataCredentials();
const start = process.hrtime.bigint();
credentials.refresh((error) => {
	const milliseconds = Number((process.hrtime.bigint() - start) / 1000000n);
	console.log(JSON.stringify({
		milliseconds, access_key: credentials.accessKeyId || null, error: error ? error.message : null,
	}));
});
