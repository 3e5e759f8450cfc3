in vec2 place;
flat in vec4 paint;
flat in float hard;
layout(location = 0) out vec4 color;
void main() {
    float r = length(place);
    if (r > 1.0) discard;
    float core = smoothstep(hard, hard * 0.6, r);
    float halo = pow(1.0 - r, 2.6);
    color = vec4(paint.rgb * (core + halo * paint.a), 0.0);
}
