-- Asks what stands in a file, in turn: METHOD PATH TYPE BODY a line. Prints what was measured as one line of JSON.

local lines = {}
local number = 0

function init(arguments)
  for line in io.lines(arguments[1]) do
    local method, path, kind, body = line:match("^(%S+) (%S+) ?(%S*) ?(.*)$")
    local headers = { ["Content-Type"] = kind }
    lines[#lines + 1] = wrk.format(method, path, kind ~= "" and headers or {}, body)
  end
end

function request()
  number = number % #lines + 1
  return lines[number]
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format(
    '{"requests": %d, "failed": %d, "seconds": %.6f, "p50": %.6f, "p99": %.6f}\n',
    summary.requests, failed, summary.duration / 1e6, latency:percentile(50) / 1e6, latency:percentile(99) / 1e6
  ))
end
