-- Portcullis for HAProxy (2.6 or newer): asks Portcullis before a request goes to an application.
-- The action and its arguments, as `portcullis snippet haproxy` writes them:
--
--   http-request lua.portcullis ADDRESS PATH SCHEME HEADER,HEADER,...
--
-- ADDRESS is where Portcullis listens (127.0.0.1:8080 or unix@/path), PATH its verify endpoint, SCHEME what visitors come by,
-- and the HEADERs are those that tell an application who the user is. A permitted request gets these headers, loses the
-- cookies of Portcullis, and leaves `pass` in txn.portcullis; the configuration must refuse whatever comes without it.
-- All else is answered here as Portcullis says, or with 503 where it does not say anything.

-- Milliseconds; HAProxy tries up to four times.
local TIMEOUT = 3000

-- Of one connection, of a body that is not sent along, or written anew below.
local NOT_SENT = {
    ["connection"] = true, ["keep-alive"] = true, ["proxy-connection"] = true, ["te"] = true, ["trailer"] = true,
    ["transfer-encoding"] = true, ["upgrade"] = true, ["content-length"] = true, ["expect"] = true, ["host"] = true,
    ["http2-settings"] = true,
}
local NOT_ANSWERED = {
    ["connection"] = true, ["keep-alive"] = true, ["transfer-encoding"] = true, ["content-length"] = true, ["upgrade"] = true,
}

-- The headers for the question: the visitor's own, and what is asked about.
local function question(txn, scheme)
    local headers = {}
    for name, values in pairs(txn.http:req_get_headers()) do
        if not NOT_SENT[name] then
            local list = {}
            for index = 0, #values do
                list[#list + 1] = values[index]
            end
            headers[name] = list
        end
    end
    local authority = txn.sf:req_fhdr("host")
    headers["host"] = { authority }
    headers["x-original-method"] = { txn.sf:method() }
    headers["x-original-url"] = { scheme .. "://" .. authority .. txn.sf:pathq() }
    return headers
end

-- Whether a cookie (`name=value`) is one of ours, under any scheme.
local function is_ours(cookie)
    local name = cookie:match("^%s*([^=]*)"):gsub("%s+$", "")
    name = name:gsub("^__Host%-", ""):gsub("^__Secure%-", "")
    return name == "portcullis" or name:sub(1, 11) == "portcullis-"
end

local function without_our_cookies(txn)
    local lines = txn.http:req_get_headers()["cookie"]
    if lines == nil then
        return
    end
    local kept = {}
    for index = 0, #lines do
        for cookie in lines[index]:gmatch("[^;]+") do
            if not is_ours(cookie) then
                kept[#kept + 1] = cookie:match("^%s*(.*)$")
            end
        end
    end
    txn.http:req_del_header("cookie")
    if #kept > 0 then
        txn.http:req_add_header("cookie", table.concat(kept, "; "))
    end
end

local function answer(txn, response)
    local reply = txn:reply()
    reply:set_status(response.status)
    for name, values in pairs(response.headers) do
        if not NOT_ANSWERED[name] then
            for _, value in pairs(values) do
                reply:add_header(name, value)
            end
        end
    end
    reply:set_body(response.body or "")
    txn:done(reply)
end

local function unavailable(txn)
    txn:Warning("portcullis does not answer: the request is refused")
    answer(txn, { status = 503, headers = { ["retry-after"] = { "5" }, ["cache-control"] = { "no-store" } } })
end

core.register_action("portcullis", { "http-req" }, function(txn, address, path, scheme, names)
    local response = core.httpclient():get({
        url = "http://portcullis" .. path,
        dst = address,
        headers = question(txn, scheme),
        timeout = TIMEOUT,
    })
    local status = response and response.status
    local refused = status == 302 or status == 303 or status == 400 or status == 401 or status == 403
    if refused or status == 503 and response.headers["cache-control"] then
        return answer(txn, response)
    end
    if status ~= 200 then
        return unavailable(txn)
    end
    for name in names:gmatch("[^,]+") do
        txn.http:req_del_header(name)
        local values = response.headers[name:lower()]
        if values and values[1] then
            txn.http:req_add_header(name, values[1])
        elseif values and values[0] then
            txn.http:req_add_header(name, values[0])
        end
    end
    without_our_cookies(txn)
    txn:set_var("txn.portcullis", "pass")
end, 4)
