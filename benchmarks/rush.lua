-- For wrk. Arguments: a salt that makes the visitors unique, the path, the number of new visitors,
-- after how many requests the last one is sent again, and further members of the body. When all requests are answered, it prints the
-- result as JSON and ends. A connection without further requests stays idle.

local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long seconds, microseconds; } moment;
  int gettimeofday(moment *now, void *zone);
]]

local salt, path, wanted, again, also
local sent, answered, visitor, began = -1, 0, 0, nil -- wrk looks at one request before it sends any
local statuses = {}
local headers = { ["Content-Type"] = "application/json" }

local function now()
  local moment = ffi.new("moment")
  ffi.C.gettimeofday(moment, nil)
  return tonumber(moment.seconds) + tonumber(moment.microseconds) / 1e6
end

function init(arguments)
  salt, path, wanted, again = arguments[1], arguments[2], tonumber(arguments[3]), tonumber(arguments[4])
  also = arguments[5] or ""
end

function request()
  if visitor == wanted then return "" end
  sent = sent + 1
  if sent == 1 then began = now() end
  if sent % again ~= 0 then visitor = visitor + 1 end
  local body = '{"full_name":"Ada Lovelace","email":"ada.' .. salt .. "." .. visitor .. '@example.com"' .. also .. "}"
  return wrk.format("POST", path, headers, body)
end

function response(status)
  answered, statuses[status] = answered + 1, (statuses[status] or 0) + 1
  if visitor < wanted or answered < sent then return end
  local counts = {}
  for code, number in pairs(statuses) do counts[#counts + 1] = string.format('"%d":%d', code, number) end
  io.write(string.format(
    '\nOUTCOME {"statuses":{%s},"seconds":%.6f}\n', table.concat(counts, ","), now() - began))
  os.exit(0)
end
