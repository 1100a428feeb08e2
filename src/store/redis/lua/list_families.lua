-- The account's families, in no order.
local found = {}
each_family(function(_, id)
    local fields = read(id)
    if fields then table.insert(found, fields) end
end)
return found
