#!/usr/bin/env bash
# Load test of the whole local service with the functions as deployed: gateway, authorizer, functions and table on this machine.
# Run it by hand on an idle machine. It needs wrk (https://github.com/wg/wrk; Debian: `apt-get install wrk`).
#
#   .ci/release && tests/bench/load.sh            # 20 seconds each, 16 connections
#   SECONDS_EACH=60 CONNECTIONS=64 tests/bench/load.sh
#
# The rates are those of this machine, not of AWS. The number of requests to the table per call is the same on AWS.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
seconds=${SECONDS_EACH:-20}
connections=${CONNECTIONS:-16}
work=$(mktemp -d)
local=
stop() {
  if [ -n "$local" ]; then kill "$local"; fi
  rm -rf "$work"
}
trap stop EXIT

cargo build --quiet --bin local
"$target/debug/local" --json --port 0 --dynamodb-port 0 --no-schedules --functions "$target/deployed" >"$work/addresses" 2>"$work/log" &
local=$!
until [ -s "$work/addresses" ]; do
  kill -0 "$local"
  sleep 0.1
done
address() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$work/addresses" "$1"; }
api=$(address api) console=$(address console) issuer=$(address issuer)
token=$(curl -fsS "$issuer/oauth/token" -d grant_type=client_credentials -d client_id=partner-demo -d client_secret=partner-demo \
  -d audience=https://api.entur.io | python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')

# Create a thousand customers, each with one recurring payment.
for customer in $(seq 1000); do
  printf 'next\nurl = "%s/v1/recurring-payments"\nheader = "Authorization: Bearer %s"\nheader = "ET-Client-Name: load-test"\njson = "{\\"customerNumber\\":\\"%s\\"}"\n' "$api" "$token" "$customer"
done | sed 1d | curl -fsS -K - | grep -o '"recurringPaymentId":[0-9]*' | cut -d: -f2 >"$work/ids"

cat >"$work/load.lua" <<'LUA'
local api, token, call, ids = os.getenv('API'), os.getenv('TOKEN'), os.getenv('CALL'), {}
for id in io.lines(os.getenv('IDS')) do ids[#ids + 1] = id end
local headers = { Authorization = 'Bearer ' .. token, ['ET-Client-Name'] = 'load-test' }
local with_body = { Authorization = headers.Authorization, ['ET-Client-Name'] = 'load-test', ['Content-Type'] = 'application/json' }
local path, count = '/v1/recurring-payments', 0
local calls = {}
function calls.list() return wrk.format('GET', path .. '?customerNumber=' .. math.random(1000), headers) end
function calls.get() return wrk.format('GET', path .. '/' .. ids[math.random(#ids)], headers) end
function calls.create()
  count = count + 1
  return wrk.format('POST', path, with_body, '{"customerNumber":"' .. call .. '-' .. count .. '"}')
end
function calls.update(id)
  count = count + 1
  return wrk.format('PATCH', path .. '/' .. (id or ids[math.random(#ids)]), with_body, '{"nickname":"kort ' .. count .. '"}')
end
function calls.hot() return calls.update(ids[1]) end
function calls.mix()
  local number = math.random(100)
  if number <= 85 then return calls.list() elseif number <= 90 then return calls.get() elseif number <= 95 then return calls.create() end
  return calls.update()
end
request = calls[call]
function done(summary, latency)
  io.write(string.format('| %s | %d | %.0f | %.1f | %.1f | %.1f | %d |', call, summary.requests, summary.requests / (summary.duration / 1e6),
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3, summary.errors.status))
end
LUA

printf '| call | responses | per second | median ms | 99 %% ms | longest ms | not 2xx | requests to the table, each |\n|---|---|---|---|---|---|---|---|\n'
for call in list get create update hot mix; do
  curl -fsS -o "$work/deleted" -X DELETE "$console/requests"
  row=$(API=$api TOKEN=$token IDS=$work/ids CALL=$call wrk -t1 -c"$connections" -d"${seconds}s" --timeout 30s -s "$work/load.lua" "$api" | grep '^| ')
  curl -fsS "$console/requests" >"$work/requests"
  python3 - "$row" "$work/requests" <<'PYTHON'
import json, sys
row, path = sys.argv[1:]
responses = int(row.split("|")[2])
print(f"{row} {len(json.load(open(path))) / responses:.3f} |")
PYTHON
done

# The rate of a schedule: after two days, everything that was created is abandoned.
curl -fsS -o "$work/clock" "$console/clock" -d advance=P2D
started=$(date +%s.%N)
curl -fsS -X POST "$console/schedule/expire-recurring-payments" >"$work/summary"
python3 - "$started" "$(date +%s.%N)" "$work/summary" <<'PYTHON'
import json, sys
seconds, summary = float(sys.argv[2]) - float(sys.argv[1]), json.load(open(sys.argv[3]))
print(f"\nexpire-recurring-payments: {summary['changed']} wallets in {seconds:.1f} s, {summary['changed'] / seconds:.0f} a second, each read and written; {summary['failed']} failed")
PYTHON
