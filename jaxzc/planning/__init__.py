"""What a scoring would need of a machine that is not there: whether it compiles, its memory, and the rate that its chip allows."""

from jaxzc.planning.request import Plan, PlanRequest, plan

__all__ = ["Plan", "PlanRequest", "plan"]
