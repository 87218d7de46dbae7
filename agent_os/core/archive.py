def preload(): pass
def self_check(): return []
