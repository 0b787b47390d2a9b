"""The story that the notebooks tell: one module a chapter, each plans, follows and checks what its notebook does."""
