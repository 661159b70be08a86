"""Is a run worse than its baseline? What is judged is one noun a file, what is found is a list of `Finding`.

Nothing that could not be compared is left out: it is a finding too, with its reason.
"""
