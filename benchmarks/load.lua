-- Sends the requests of a file in turn, `METHOD PATH BODY` a line; `{n}` in a body is replaced by the request's number.
-- Prints the result as one line of JSON.

local lines = {}
local number = 0

function init(arguments)
  wrk.headers["Content-Type"] = "application/json"
  for line in io.lines(arguments[1]) do
    local method, path, body = line:match("^(%S+) (%S+) ?(.*)$")
    lines[#lines + 1] = { method = method, path = path, body = body, whole = wrk.format(method, path, nil, body) }
  end
end

function request()
  local line = lines[number % #lines + 1]
  number = number + 1
  if line.body == "" then
    return line.whole
  end
  return wrk.format(line.method, line.path, nil, (line.body:gsub("{n}", number)))
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format(
    '{"requests": %d, "failed": %d, "seconds": %.6f, "p50": %.6f, "p99": %.6f}\n',
    summary.requests, failed, summary.duration / 1e6, latency:percentile(50) / 1e6, latency:percentile(99) / 1e6
  ))
end
