uniform sampler2D backdrop_depth;
uniform vec2 viewport;
in vec2 place;
flat in vec4 paint;
out vec4 color;
void main() {
    float ground = texture(backdrop_depth, gl_FragCoord.xy / viewport).r;
    if (gl_FragCoord.z > ground + 2e-4 * (1.0 - ground) * 50.0 + 1e-6) discard;
    float amount;
    if (paint.a < 0.5) {
        vec2 d = smoothstep(vec2(1.0), vec2(0.35), abs(place));
        amount = d.x * d.y;
        color = vec4(0.0, amount * paint.r, 0.0, 0.0);
    } else {
        float along = place.x * 0.5 + 0.5;
        float wide = 0.18 + 0.82 * along;
        amount = smoothstep(0.0, 0.10, along) * pow(1.0 - along, 1.3) * smoothstep(1.0, 0.1, abs(place.y) / wide);
        color = vec4(sqrt(paint.rgb * amount), 0.0);
    }
}
