-- For wrk: requests the paths of its arguments in turn: /register with a new visitor each time, a path
-- that ends with = with a new text each time. The first argument is a salt that makes both unique.
-- Prints the result as JSON.

local paths, salt, number = {}, "", 0
local headers = { ["Content-Type"] = "application/json" }

function init(arguments)
  salt = arguments[1]
  for place = 2, #arguments do paths[#paths + 1] = arguments[place] end
end

function request()
  number = number + 1
  local path = paths[number % #paths + 1]
  if path:sub(-1) == "=" then path = path .. salt .. number end
  if path:sub(-9) ~= "/register" then return wrk.format("GET", path) end
  local body = '{"full_name":"Ada Lovelace","email":"ada.' .. salt .. "." .. number .. '@example.com"}'
  return wrk.format("POST", path, headers, body)
end

function done(summary, latency)
  local errors = summary.errors
  local lost = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(
    '\nOUTCOME {"requests":%d,"refused":%d,"lost":%d,"seconds":%.6f,"p50":%.3f,"p99":%.3f}\n',
    summary.requests, errors.status, lost, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
