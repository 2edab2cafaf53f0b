# SPDX-License-Identifier: GPL-2.0-only
# As sdk.js, for aws-sdk-core.
require 'aws-sdk-core'
start = Process.clock_gettime(Process::CLOCK_MONOTONIC)
credentials = Aws::InstanceProfileCredentials.new
got = !credentials.credentials.access_key_id.nil?	# looks again where there were none
took = Process.clock_gettime(Process::CLOCK_MONOTONIC) - start
puts "{\"milliseconds\": #{(took * 1000).to_i}, \"got\": #{got}, \"error\": null}"
