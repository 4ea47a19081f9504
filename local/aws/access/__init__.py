"""Who may do what on the local AWS: the template's roles and policies, evaluated for each request as AWS does."""
